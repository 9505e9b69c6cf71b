import PlumbEvaluation
import PlumbTestSupport
import Testing

@Suite struct CorrelationTests {
  static let x = [0.031, 0.058, 0.044, 0.102, 0.077, 0.058, 0.021, 0.09]
  static let y = [0.61, 0.55, 0.6, 0.47, 0.52, 0.57, 0.55, 0.49]

  /// `scipy.stats.pearsonr` and `spearmanr` on the same numbers, with ties on both sides.
  @Test func valuesOfSciPy() throws {
    let pearson = try #require(Correlation(.pearson, Self.x, Self.y, seed: 1))
    expectClose(pearson.coefficient, -0.8416918484146685, absolute: 1e-12)
    let spearman = try #require(Correlation(.spearman, Self.x, Self.y, seed: 1))
    expectClose(spearman.coefficient, -0.8012048192771084, absolute: 1e-12)
    for found in [pearson, spearman] {
      #expect(found.interval.contains(found.coefficient) && found.points == 8)
      #expect(found.interval.lower >= -1 && found.interval.upper < 0)
    }
    #expect(Correlation(.pearson, Self.x, Self.y, seed: 1) == pearson)
    #expect(Correlation(.pearson, Self.x, Self.y, seed: 2)?.interval != pearson.interval)
  }

  @Test func perfectAndMonotone() throws {
    let cubes = (1...6).map { Double($0 * $0 * $0) }
    let line = (1...6).map(Double.init)
    #expect(Correlation.coefficient(.pearson, line, line.map { -2 * $0 }) == -1)
    #expect(Correlation.coefficient(.spearman, line, cubes) == 1)
    #expect(try #require(Correlation.coefficient(.pearson, line, cubes)) < 0.99)
  }

  @Test func whatCannotBeCorrelatedIsNil() {
    #expect(Correlation(.pearson, [1, 2], [2, 1]) == nil)
    #expect(Correlation(.pearson, [1, 1, 1], [1, 2, 3]) == nil)
    #expect(Correlation(.spearman, [1, 2, 3], [4, 4, 4]) == nil)
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = Correlation(.pearson, [1], [1, 2]) }
    await #expect(processExitsWith: .failure) {
      _ = Correlation(.pearson, [1, 2, .nan], [1, 2, 3])
    }
  }
}
