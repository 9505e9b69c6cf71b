import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

struct MinimumNormTests {
  struct File: Decodable {
    struct Case: Decodable {
      let gradients: [[Float]]
      let weights: [Double]
      let squared_norm: Double
    }
    let cases: [Case]
    let tolerance_weights: Double
    let tolerance_squared_norm: Double
  }

  static func squaredNorm(_ gradients: [[Float]], _ weights: [Double]) -> Double {
    gradients[0].indices.reduce(0) { sum, column in
      let value = zip(gradients, weights).reduce(0) { $0 + Double($1.0[column]) * $1.1 }
      return sum + value * value
    }
  }

  @Test func goldenWeights() throws {
    let file = try Golden.json("more_min_norm", as: File.self)
    #expect(!file.cases.isEmpty)
    for test in file.cases {
      let weights = minimumNormWeights(gradients: test.gradients)
      expectClose(weights, test.weights, absolute: file.tolerance_weights, relative: 0)
      expectClose(
        Self.squaredNorm(test.gradients, weights), test.squared_norm,
        absolute: file.tolerance_squared_norm, relative: 0)
    }
  }

  /// For two gradients the weight is known: `clip((g₂ − g₁)·g₂ / |g₁ − g₂|², 0, 1)` (Désidéri 2012).
  @Test func twoGradientsByHand() {
    expectClose(minimumNormWeights(gradients: [[1, 0], [0, 1]]), [0.5, 0.5])
    expectClose(minimumNormWeights(gradients: [[2, 0], [0, 1]]), [0.2, 0.8])
    // The shorter one alone: the longer lies beyond it.
    #expect(minimumNormWeights(gradients: [[1, 0], [3, 1]]) == [1, 0])
    // Opposite: nothing helps both.
    expectClose(minimumNormWeights(gradients: [[1, 0], [-3, 0]]), [0.75, 0.25])
    #expect(minimumNormWeights(gradients: [[5, 5]]) == [1])
  }

  @Test func degenerateGradients() {
    let equal = minimumNormWeights(gradients: [[1, 2], [1, 2], [1, 2]])
    expectClose(equal.reduce(0, +), 1)
    #expect(minimumNormWeights(gradients: [[0, 0], [1, 2]]) == [1, 0])
    #expect(minimumNormWeights(gradients: [[0, 0], [0, 0]]).reduce(0, +) == 1)
    expectClose(
      Self.squaredNorm(
        [[1], [-1], [1], [-1]], minimumNormWeights(gradients: [[1], [-1], [1], [-1]])),
      0, absolute: 1e-20)
  }

  /// At the optimum every gradient has at least the squared norm as its product with the sum, and
  /// exactly that where its weight is not 0.
  @Test func optimalityOfRandomProblems() {
    withEvery("seed", in: 0..<200) { seed in
      var stream = RandomStream(seed: UInt64(seed), purpose: "minimum norm")
      let count = 2 + stream.uniform(below: 7)
      let width = 1 + stream.uniform(below: 10)
      let gradients = (0..<count).map { _ in (0..<width).map { _ in stream.normal() + 0.3 } }
      let weights = minimumNormWeights(gradients: gradients)
      expectClose(weights.reduce(0, +), 1, absolute: 1e-9)
      #expect(weights.allSatisfy { $0 >= 0 })
      let sum = (0..<width).map { column in
        zip(gradients, weights).reduce(0) { $0 + Double($1.0[column]) * $1.1 }
      }
      let squaredNorm = sum.reduce(0) { $0 + $1 * $1 }
      for (gradient, weight) in zip(gradients, weights) {
        let product = zip(gradient, sum).reduce(0) { $0 + Double($1.0) * $1.1 }
        #expect(product >= squaredNorm - 1e-9)
        if weight > 1e-9 { expectClose(product, squaredNorm, absolute: 1e-9) }
      }
    }
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = minimumNormWeights(gradients: []) }
    await #expect(processExitsWith: .failure) { _ = minimumNormWeights(gradients: [[1], [1, 2]]) }
    await #expect(processExitsWith: .failure) { _ = minimumNormWeights(gram: [[1, 2]]) }
    await #expect(processExitsWith: .failure) { _ = minimumNormWeights(gram: [[.nan]]) }
  }
}
