import Foundation
import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct UnaryTests {
  struct Operation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let apply: @Sendable (Tensor) -> Tensor
    /// The same function in Float64.
    let reference: @Sendable (Double) -> Double
    /// Where it is defined and at least two steps from a kink.
    let inputs: [Float]
  }

  private static let everywhere: [Float] = [-6, -3.1, -1, -0.3, -0.05, 0.05, 0.3, 1, 2.7, 5]
  private static let positive: [Float] = [0.3, 0.7, 1, 2.5, 9]

  static let operations = [
    Operation(
      testDescription: "exp", apply: { $0.exp() }, reference: { Foundation.exp($0) },
      inputs: [-6, -1, 0, 0.5, 2]),
    Operation(
      testDescription: "log", apply: { $0.log() }, reference: { Foundation.log($0) },
      inputs: positive),
    Operation(
      testDescription: "sigmoid", apply: { $0.sigmoid() },
      reference: { 1 / (1 + Foundation.exp(-$0)) }, inputs: everywhere),
    Operation(
      testDescription: "logSigmoid", apply: { $0.logSigmoid() },
      reference: { -Foundation.log(1 + Foundation.exp(-$0)) }, inputs: everywhere),
    Operation(
      testDescription: "tanh", apply: { $0.tanh() }, reference: { Foundation.tanh($0) },
      inputs: everywhere),
    Operation(
      testDescription: "relu", apply: { $0.relu() }, reference: { max($0, 0) }, inputs: everywhere),
    Operation(
      testDescription: "square", apply: { $0.square() }, reference: { $0 * $0 }, inputs: everywhere),
    Operation(
      testDescription: "sqrt", apply: { $0.sqrt() }, reference: { $0.squareRoot() },
      inputs: positive),
    Operation(
      testDescription: "abs", apply: { $0.abs() }, reference: { Swift.abs($0) }, inputs: everywhere),
    Operation(
      testDescription: "clamped", apply: { $0.clamped(-0.5, 1.5) },
      reference: { min(max($0, -0.5), 1.5) }, inputs: everywhere),
  ]

  @Test(arguments: operations)
  func valuesAgreeWithFloat64(_ operation: Operation) {
    let found = operation.apply(Tensor(operation.inputs))
    let expected = operation.inputs.map { Float(operation.reference(Double($0))) }
    // Two units in the last place of Float32.
    expectClose(found.scalars, expected, absolute: 1e-7, relative: 2.4e-7)
  }

  @Test(arguments: operations)
  func gradients(_ operation: Operation) {
    checkGradients(of: [Tensor(operation.inputs)]) { operation.apply($0[0]) }
  }

  @Test(arguments: operations)
  func theShapeStays(_ operation: Operation) {
    #expect(operation.apply(Tensor.full(0.7, [2, 3])).shape == [2, 3])
    #expect(operation.apply(Tensor.zeros([0, 3])).shape == [0, 3])
  }

  @Test(arguments: operations)
  func nanStaysNaN(_ operation: Operation) {
    #expect(operation.apply(Tensor([.nan])).item.isNaN)
  }

  @Test func theLogisticFamilyIsExactFarFromZero() {
    let x = Tensor.variable([-200, -60, 40, 200, -.infinity, .infinity], shape: [6])
    let y = x.logSigmoid()
    expectClose(
      y.scalars, [-200, -60, -4.248354e-18, 0, -.infinity, 0], absolute: 1e-30, relative: 1e-6)
    expectClose(
      Gradients(of: y.sum())[x]?.scalars ?? [], [1, 1, 4.248354e-18, 0, 1, 0],
      absolute: 1e-30, relative: 1e-6)
    expectClose(
      x.sigmoid().scalars, [0, 8.756511e-27, 1, 1, 0, 1], absolute: 1e-33, relative: 1e-6)
    // The slope at 40 is lost if it is computed as y (1 - y).
    expectClose(
      Gradients(of: x.sigmoid().sum())[x]?.scalars ?? [], [0, 8.756511e-27, 4.248354e-18, 0, 0, 0],
      absolute: 1e-33, relative: 1e-6)
  }

  @Test func kinksHaveTheDocumentedGradient() {
    let x = Tensor.variable([0, -1, 2], shape: [3])
    expectClose(Gradients(of: x.relu().sum())[x]?.scalars ?? [], [0, 0, 1])
    expectClose(Gradients(of: x.abs().sum())[x]?.scalars ?? [], [0, -1, 1])
    expectClose(Gradients(of: x.clamped(-1, 2).sum())[x]?.scalars ?? [], [1, 1, 1])
    expectClose(Gradients(of: x.clamped(0.5, .infinity).sum())[x]?.scalars ?? [], [0, 0, 1])
  }

  @Test func edgesOfLogAndSquareRoot() {
    #expect(Tensor([0]).log().item == -.infinity)
    #expect(Tensor([-1]).log().item.isNaN)
    #expect(Tensor([0]).sqrt().item == 0)
    #expect(Tensor([-1]).sqrt().item.isNaN)
  }

  @Test func crossedBoundsTrap() async {
    await #expect(processExitsWith: .failure) { _ = Tensor([1]).clamped(2, 1) }
  }
}
