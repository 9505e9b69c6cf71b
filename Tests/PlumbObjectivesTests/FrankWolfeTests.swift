import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

struct FrankWolfeTests {
  @Test func goldenWeights() throws {
    let file = try Golden.json("more_min_norm", as: MinimumNormTests.File.self)
    #expect(!file.cases.isEmpty)
    for test in file.cases {
      let weights = frankWolfeWeights(gram: gramMatrix(test.gradients))
      expectClose(weights, test.weights, absolute: file.tolerance_weights, relative: 0)
      expectClose(
        MinimumNormTests.squaredNorm(test.gradients, weights), test.squared_norm,
        absolute: file.tolerance_squared_norm, relative: 0)
    }
  }

  @Test func cornersAreReachedUnlessTheEdgeForbidsIt() {
    let gram = gramMatrix([[1, 0], [3, 1]])
    #expect(frankWolfeWeights(gram: gram) == [1, 0])
    let published = frankWolfeWeights(gram: gram, iterations: 0, edge: 0.001)
    expectClose(published, [0.999, 0.001], absolute: 1e-12)
    expectClose(frankWolfeWeights(gram: gramMatrix([[2, 0], [0, 1]])), [0.2, 0.8])
    #expect(frankWolfeWeights(gram: gramMatrix([[5, 5]])) == [1])
  }

  /// The iteration ends near the exact optimum and stays on the simplex.
  @Test func randomProblemsComeCloseToTheExactSolver() {
    withEvery("seed", in: 0..<100) { seed in
      var stream = RandomStream(seed: UInt64(seed), purpose: "frank wolfe")
      let count = 2 + stream.uniform(below: 6)
      let gradients = (0..<count).map { _ in (0..<12).map { _ in stream.normal() + 0.3 } }
      let gram = gramMatrix(gradients)
      let weights = frankWolfeWeights(gram: gram, iterations: 100_000, tolerance: 0)
      let exact = minimumNormWeights(gram: gram)
      expectClose(weights.reduce(0, +), 1, absolute: 1e-9)
      #expect(weights.allSatisfy { $0 >= 0 })
      let found = MinimumNormTests.squaredNorm(gradients, weights)
      let best = MinimumNormTests.squaredNorm(gradients, exact)
      #expect(found >= best - 1e-9)
      expectClose(found, best, absolute: 1e-3, relative: 1e-3)
    }
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = frankWolfeWeights(gram: []) }
    await #expect(processExitsWith: .failure) { _ = frankWolfeWeights(gram: [[1, 2]]) }
    await #expect(processExitsWith: .failure) { _ = frankWolfeWeights(gram: [[1]], edge: 0.5) }
    await #expect(processExitsWith: .failure) { _ = gramMatrix([[1], [1, 2]]) }
  }
}
