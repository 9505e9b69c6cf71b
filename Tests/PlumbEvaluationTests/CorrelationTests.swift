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

  /// Three equal points a cluster: drawing clusters is drawing single points, and drawing the 24 points
  /// as if they were independent makes the interval narrower than the truth.
  @Test func clustersAreDrawnWhole() throws {
    func thrice(_ values: [Double]) -> [Double] { values.flatMap { [$0, $0, $0] } }
    let names = Self.x.indices.flatMap { [String](repeating: "\($0)", count: 3) }
    let single = try #require(Correlation(.pearson, Self.x, Self.y, seed: 1))
    let clustered = try #require(
      Correlation(.pearson, thrice(Self.x), thrice(Self.y), clusters: names, seed: 1))
    #expect((clustered.points, clustered.clusters) == (24, 8))
    #expect((single.points, single.clusters) == (8, 8))
    expectClose(clustered.coefficient, single.coefficient, absolute: 1e-9)
    expectClose(clustered.interval.lower, single.interval.lower, absolute: 1e-9)
    expectClose(clustered.interval.upper, single.interval.upper, absolute: 1e-9)
    let independent = try #require(
      Correlation(.pearson, thrice(Self.x), thrice(Self.y), seed: 1))
    let widths = [clustered, independent].map { $0.interval.upper - $0.interval.lower }
    #expect(widths[1] < 0.8 * widths[0], "\(widths)")
  }

  @Test func twoClustersTellNothing() throws {
    let found = try #require(
      Correlation(
        .pearson, Self.x, Self.y, clusters: ["a", "a", "a", "a", "b", "b", "b", "b"]))
    #expect(found.clusters == 2 && found.interval.lower == -1 && found.interval.upper == 1)
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) {
      _ = Correlation(.pearson, [1, 2, 3], [1, 2, 4], clusters: ["a", "b"])
    }

    await #expect(processExitsWith: .failure) { _ = Correlation(.pearson, [1], [1, 2]) }
    await #expect(processExitsWith: .failure) {
      _ = Correlation(.pearson, [1, 2, .nan], [1, 2, 3])
    }
  }
}
