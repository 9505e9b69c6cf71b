import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

struct SourceBalanceTests {
  typealias Normalisation = SourceBalance.Normalisation

  static let gradients: [[[Float]]] = [
    [
      [2.041, -2.556, 0.418, -0.568], [-0.453, -0.216, -2.02, -0.232],
      [-0.865, 3.323, 0.226, -0.353],
    ],
    [
      [-0.281, -0.668, -1.055, -0.391], [0.482, -0.239, 0.958, -0.2],
      [0.024, 1.546, 0.545, -0.505],
    ],
  ]
  static let losses = [[0.835, 0.651, 0.583], [0.764, 0.318, 0.724]]

  /// Two steps with `alpha` 0.7; the numbers are those of SciPy's SLSQP on the same formulas.
  @Test(arguments: [
    (Normalisation.l2, [0.428328, 0.147967, 0.423705], [0.5, 0, 0.5]),
    (.loss, [0.420888, 0.235194, 0.343919], [0.036272, 0.822139, 0.141589]),
    (.lossTimesLength, [0.515433, 0.134991, 0.349576], [0.514686, 0, 0.485314]),
    (.none, [0.387063, 0.243739, 0.369198], [0, 0.904559, 0.095441]),
  ])
  func twoStepsAgainstAnotherSolver(
    _ normalisation: Normalisation, _ first: [Double], _ second: [Double]
  ) {
    withEvery("solver", in: [SourceBalance.Solver.wolfe, .frankWolfe]) { solver in
      var balance = SourceBalance(
        sources: 3, alpha: 0.7, normalisation: normalisation, solver: solver)
      for (step, expected) in [first, second].enumerated() {
        let weights = balance.weights(
          gradients: Self.gradients[step].map { $0 }, losses: Self.losses[step])
        expectClose(
          weights, expected, absolute: solver == .wolfe ? 1e-4 : 5e-3, relative: 0, "step \(step)")
      }
    }
  }

  @Test func momentumByHand() {
    var balance = SourceBalance(sources: 2, alpha: 0.75, normalisation: .none)
    // The first mean is the first gradient itself.
    expectClose(balance.weights(gradients: [[2, 0], [0, 1]], losses: [1, 1]), [0.2, 0.8])
    #expect(balance.means == [[2, 0], [0, 1]])
    // 0.25·(2, 0) + 0.75·(0, 4) = (0.5, 3); the absent source keeps its mean and gets nothing.
    #expect(balance.weights(gradients: [[0, 4], nil], losses: [1, 1]) == [1, 0])
    #expect(balance.means == [[0.5, 3], [0, 1]])
  }

  @Test func gradientsOfZeroGetNothing() {
    var balance = SourceBalance(sources: 3)
    let weights = balance.weights(gradients: [[0, 0], [1, 0], [0, 1]], losses: [0, 1, 1])
    expectClose(weights, [0, 0.5, 0.5])
    var all = SourceBalance(sources: 3)
    #expect(all.weights(gradients: [[0], nil, [0]], losses: [0, 0, 0]) == [0.5, 0, 0.5])
    // A loss of 0 divides nothing.
    var sure = SourceBalance(sources: 2, normalisation: .lossTimesLength)
    let found = sure.weights(gradients: [[1, 0], [0, 1]], losses: [0, 1])
    #expect(found.allSatisfy { $0.isFinite })
  }

  @Test func oneSourceHasAllTheWeight() {
    for normalisation in Normalisation.allCases {
      var balance = SourceBalance(sources: 1, normalisation: normalisation)
      #expect(balance.weights(gradients: [[0.3, -2]], losses: [0.5]) == [1])
    }
  }

  @Test func theStateSurvivesJSON() throws {
    var balance = SourceBalance(sources: 3, alpha: 0.7, normalisation: .lossTimesLength)
    _ = balance.weights(gradients: Self.gradients[0].map { $0 }, losses: Self.losses[0])
    var copy = try JSONDecoder().decode(
      SourceBalance.self, from: JSONEncoder().encode(balance))
    #expect(copy == balance)
    let next = Self.gradients[1].map { Optional($0) }
    #expect(
      copy.weights(gradients: next, losses: Self.losses[1])
        == balance.weights(gradients: next, losses: Self.losses[1]))
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = SourceBalance(sources: 0) }
    await #expect(processExitsWith: .failure) { _ = SourceBalance(sources: 1, alpha: 0) }
    await #expect(processExitsWith: .failure) {
      var balance = SourceBalance(sources: 2)
      _ = balance.weights(gradients: [[1]], losses: [1])
    }
  }
}

struct HeadGradientTests {
  static let pairs = 5
  static let width = 4

  static func features(_ purpose: String) -> [Float] {
    var stream = RandomStream(seed: 2, purpose: purpose)
    return (0..<pairs * width).map { _ in stream.normal() }
  }

  /// The closed form, the engine's gradient and central differences of the loss agree.
  @Test func threeWaysToOneGradient() {
    let chosen = Tensor(Self.features("chosen"), shape: [Self.pairs, Self.width])
    let rejected = Tensor(Self.features("rejected"), shape: [Self.pairs, Self.width])
    let weights: [Float] = [0.7, -0.2, 0.4, 1.1]
    func loss(_ weight: Tensor) -> Tensor {
      bradleyTerry(
        chosen: linear(chosen, weight: weight).reshaped([Self.pairs]),
        rejected: linear(rejected, weight: weight).reshaped([Self.pairs])
      ).loss
    }
    let weight = Tensor.variable(weights, shape: [1, Self.width])
    let differences =
      (linear(chosen, weight: weight) - linear(rejected, weight: weight)).scalars
    let found = headGradient(chosen: chosen, rejected: rejected, differences: differences)
    expectClose(found, gradient(loss(weight), weight), absolute: 1e-6, relative: 1e-5)
    for column in 0..<Self.width {
      func value(_ offset: Float) -> Float {
        var moved = weights
        moved[column] += offset
        return loss(Tensor(moved, shape: [1, Self.width])).item
      }
      expectClose(
        found[column], (value(0x1p-7) - value(-0x1p-7)) / 0x1p-6, absolute: 1e-4, relative: 1e-3,
        "column \(column)")
    }
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) {
      _ = headGradient(chosen: .zeros([2, 3]), rejected: .zeros([2, 2]), differences: [0, 0])
    }
    await #expect(processExitsWith: .failure) {
      _ = headGradient(chosen: .zeros([2, 3]), rejected: .zeros([2, 3]), differences: [0])
    }
  }
}
