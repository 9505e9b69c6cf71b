import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct ArithmeticTests {
  struct Operation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let apply: @Sendable (Tensor, Tensor) -> Tensor
    let scalar: @Sendable (Float, Float) -> Float
  }

  static let operations = [
    Operation(testDescription: "+", apply: { $0 + $1 }, scalar: { $0 + $1 }),
    Operation(testDescription: "-", apply: { $0 - $1 }, scalar: { $0 - $1 }),
    Operation(testDescription: "*", apply: { $0 * $1 }, scalar: { $0 * $1 }),
    Operation(testDescription: "/", apply: { $0 / $1 }, scalar: { $0 / $1 }),
    Operation(testDescription: "minimum", apply: { minimum($0, $1) }, scalar: { min($0, $1) }),
    Operation(testDescription: "maximum", apply: { maximum($0, $1) }, scalar: { max($0, $1) }),
  ]

  /// A shape that is repeated to [rows, columns], and where its element for (row, column) lies.
  struct Repeated: Sendable, CustomStringConvertible {
    let description: String
    let shape: @Sendable (Int, Int) -> Shape
    let index: @Sendable (_ row: Int, _ column: Int, _ columns: Int) -> Int
  }

  static let repetitions = [
    Repeated(description: "[M, N]", shape: { [$0, $1] }, index: { $0 * $2 + $1 }),
    Repeated(
      description: "[N]", shape: { _, columns in [columns] }, index: { _, column, _ in column }),
    Repeated(
      description: "[1, N]", shape: { _, columns in [1, columns] },
      index: { _, column, _ in column }),
    Repeated(description: "[M, 1]", shape: { rows, _ in [rows, 1] }, index: { row, _, _ in row }),
    Repeated(description: "[1]", shape: { _, _ in [1] }, index: { _, _, _ in 0 }),
    Repeated(description: "[]", shape: { _, _ in [] }, index: { _, _, _ in 0 }),
  ]

  /// Numbers in ±[0.5, 2.1) that lie at least 0.04 from those of another `salt`.
  static func numbers(_ shape: Shape, salt: Int) -> Tensor {
    let values = (0..<shape.count).map { i in
      let size = 0.5 + 0.1 * Float((i * 7 + salt * 3) % 16) + 0.04 * Float(salt)
      return (i + salt).isMultiple(of: 2) ? size : -size
    }
    return Tensor(values, shape: shape)
  }

  @Test func valuesByHand() {
    let a = Tensor([1, -2, 3, 4], shape: [2, 2])
    let b = Tensor([2, 4, -1, 8], shape: [2, 2])
    expectClose(a + b, Tensor([3, 2, 2, 12], shape: [2, 2]))
    expectClose(a - b, Tensor([-1, -6, 4, -4], shape: [2, 2]))
    expectClose(a * b, Tensor([2, -8, -3, 32], shape: [2, 2]))
    expectClose(a / b, Tensor([0.5, -0.5, -3, 0.5], shape: [2, 2]))
    expectClose(minimum(a, b), Tensor([1, -2, -1, 4], shape: [2, 2]))
    expectClose(maximum(a, b), Tensor([2, 4, 3, 8], shape: [2, 2]))
    expectClose(a + Tensor([10, 20]), Tensor([11, 18, 13, 24], shape: [2, 2]))
    expectClose(a + Tensor([10, 20], shape: [2, 1]), Tensor([11, 8, 23, 24], shape: [2, 2]))
    expectClose(a * Tensor(scalar: 2), Tensor([2, -4, 6, 8], shape: [2, 2]))
    expectClose(Tensor([1]) - a, Tensor([0, 3, -2, -3], shape: [2, 2]))
  }

  @Test func valuesWithANumber() {
    let x = Tensor([1, -2, 4])
    expectClose(x + 1, Tensor([2, -1, 5]))
    expectClose(1 + x, Tensor([2, -1, 5]))
    expectClose(x - 1, Tensor([0, -3, 3]))
    expectClose(1 - x, Tensor([0, 3, -3]))
    expectClose(x * 3, Tensor([3, -6, 12]))
    expectClose(3 * x, Tensor([3, -6, 12]))
    expectClose(x / 2, Tensor([0.5, -1, 2]))
    expectClose(2 / x, Tensor([2, -1, 0.5]))
    expectClose(-x, Tensor([-1, 2, -4]))
  }

  @Test(arguments: operations)
  func broadcastingEqualsExplicitExpansion(_ operation: Operation) {
    withEvery("rows", in: [1, 2, 5]) { rows in
      withEvery("columns", in: [1, 3, 17]) { columns in
        withEvery("repeated", in: Self.repetitions) { repeated in
          let full = Self.numbers([rows, columns], salt: 0)
          let small = Self.numbers(repeated.shape(rows, columns), salt: 1)
          var expanded: [Float] = []
          for row in 0..<rows {
            for column in 0..<columns {
              expanded.append(small.scalars[repeated.index(row, column, columns)])
            }
          }
          let expected = zip(full.scalars, expanded).map { operation.scalar($0.0, $0.1) }
          let mirrored = zip(full.scalars, expanded).map { operation.scalar($0.1, $0.0) }
          let shape: Shape = [rows, columns]
          expectClose(operation.apply(full, small), Tensor(expected, shape: shape))
          expectClose(operation.apply(small, full), Tensor(mirrored, shape: shape), "mirrored")
          expectClose(small.broadcast(to: shape), Tensor(expanded, shape: shape), "broadcast(to:)")
        }
      }
    }
  }

  @Test(arguments: operations)
  func gradientsOfEveryBroadcast(_ operation: Operation) {
    withEvery("repeated", in: Self.repetitions) { repeated in
      let full = Self.numbers([3, 4], salt: 0)
      let small = Self.numbers(repeated.shape(3, 4), salt: 1)
      checkGradients(of: [full, small]) { operation.apply($0[0], $0[1]) }
      checkGradients(of: [small, full]) { operation.apply($0[0], $0[1]) }
      checkGradients(of: [small]) { inputs in inputs[0].broadcast(to: [3, 4]) * full }
    }
  }

  @Test func gradientsWithANumber() {
    let x = Self.numbers([5], salt: 0)
    checkGradients(of: [x]) { $0[0] + 3 }
    checkGradients(of: [x]) { 3 + $0[0] }
    checkGradients(of: [x]) { $0[0] - 3 }
    checkGradients(of: [x]) { 3 - $0[0] }
    checkGradients(of: [x]) { $0[0] * 3 }
    checkGradients(of: [x]) { 3 * $0[0] }
    checkGradients(of: [x]) { $0[0] / 3 }
    checkGradients(of: [x]) { 3 / $0[0] }
    checkGradients(of: [x]) { -$0[0] }
  }

  @Test func anOperandUsedTwiceGetsBothShares() {
    let x = Tensor.variable([2, 3], shape: [2])
    let gradients = Gradients(of: (x * x + x + x).sum())
    expectClose(gradients[x]?.scalars ?? [], [6, 8])
  }

  @Test func tiesOfMinimumAndMaximumGoToTheFirst() {
    let a = Tensor.variable([1, 1, 2], shape: [3])
    let b = Tensor.variable([1, 2, 1], shape: [3])
    let smaller = Gradients(of: minimum(a, b).sum())
    expectClose(smaller[a]?.scalars ?? [], [1, 1, 0])
    expectClose(smaller[b]?.scalars ?? [], [0, 0, 1])
    let larger = Gradients(of: maximum(a, b).sum())
    expectClose(larger[a]?.scalars ?? [], [1, 0, 1])
    expectClose(larger[b]?.scalars ?? [], [0, 1, 0])
  }

  @Test func minimumAndMaximumKeepNaN() {
    let a = Tensor([.nan, 1])
    let b = Tensor([1, .nan])
    #expect(minimum(a, b).scalars.allSatisfy { $0.isNaN })
    #expect(maximum(a, b).scalars.allSatisfy { $0.isNaN })
  }

  @Test func constantsRecordNothing() {
    let a = Tensor([1, 2])
    #expect(!(a + a * a / 2).requiresGradient)
    #expect((a + Tensor.variable([1, 2], shape: [2])).requiresGradient)
  }

  @Test func emptyTensorsStayEmpty() {
    let empty = Tensor([], shape: [0, 3])
    expectClose(empty + Tensor([1, 2, 3]), empty)
    expectClose(empty * 2, empty)
  }

  @Test func badShapesTrap() async {
    await #expect(processExitsWith: .failure) { _ = Tensor([1, 2]) + Tensor([1, 2, 3]) }
    await #expect(processExitsWith: .failure) {
      _ = Tensor([1, 2, 3]) - Tensor([1, 2, 3], shape: [3, 1])
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([2, 3]) * Tensor.zeros([3, 2])
    }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 3]) / Tensor.zeros([2]) }
    await #expect(processExitsWith: .failure) {
      _ = minimum(Tensor.zeros([2, 3]), Tensor.zeros([3, 1]))
    }
    await #expect(processExitsWith: .failure) {
      _ = maximum(Tensor.zeros([2, 3]), Tensor.zeros([6]))
    }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 3]).broadcast(to: [3]) }
  }
}
