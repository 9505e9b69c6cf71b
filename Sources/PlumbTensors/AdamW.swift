import CKernels
import Glibc

/// The running means of AdamW: of the gradients and of their squares, for every parameter.
public struct AdamWMoments: Sendable {
  /// Names, shapes and places of the parameters.
  public let layout: ParameterLayout
  private(set) var firstStorage: Storage
  private(set) var secondStorage: Storage

  /// Zeros for every parameter of a block.
  public init(for parameters: ParameterBlock) {
    layout = parameters.layout
    firstStorage = Storage(count: layout.count)
    secondStorage = Storage(count: layout.count)
    firstStorage.buffer.update(repeating: 0)
    secondStorage.buffer.update(repeating: 0)
  }

  /// The means of the gradients, flat, in the order of the layout.
  public var first: [Float] {
    get { Array(firstStorage.buffer) }
    set { firstStorage = replacement(newValue) }
  }

  /// The means of the squared gradients, flat, in the order of the layout.
  public var second: [Float] {
    get { Array(secondStorage.buffer) }
    set { secondStorage = replacement(newValue) }
  }

  private func replacement(_ values: [Float]) -> Storage {
    precondition(
      values.count == layout.count,
      "AdamWMoments: expected \(layout.count) values, found \(values.count)")
    let storage = Storage(count: values.count)
    _ = storage.buffer.update(fromContentsOf: values)
    return storage
  }

  fileprivate mutating func makeUnique() {
    if !isKnownUniquelyReferenced(&firstStorage) {
      firstStorage = firstStorage.copy(count: layout.count)
    }
    if !isKnownUniquelyReferenced(&secondStorage) {
      secondStorage = secondStorage.copy(count: layout.count)
    }
  }
}

extension ParameterBlock {
  /// One step of AdamW (Loshchilov and Hutter 2019), in the order of operations of PyTorch.
  ///
  /// Weight decay is decoupled, `w -= learningRate weightDecay w`, on entries that decay.
  /// - Parameters:
  ///   - gradients: of the same layout.
  ///   - moments: updated.
  ///   - step: counted from 1.
  ///   - gradientScale: multiplies the gradients first, for clipping and averaging.
  public mutating func adamW(
    _ gradients: GradientBlock, _ moments: inout AdamWMoments, step: Int, learningRate: Float,
    beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, gradientScale: Float
  ) {
    precondition(
      gradients.layout == layout && moments.layout == layout,
      "adamW: gradients and moments are of another layout than the parameters")
    precondition(step >= 1, "adamW: expected a step from 1 on, found \(step)")
    // In double precision: 1 - beta2^t is about 0.001 at the first step.
    let correction1 = 1 - pow(Double(beta1), Double(step))
    let correction2 = 1 - pow(Double(beta2), Double(step))
    let stepSize = Float(Double(learningRate) / correction1)
    let inverseRoot = Float(1 / correction2.squareRoot())
    let decayFactor = 1 - learningRate * weightDecay
    moments.makeUnique()
    let (first, second) = (moments.firstStorage, moments.secondStorage)
    let entries = layout.entries
    withMutableBuffer { block in
      guard let weights = block.baseAddress else { return }
      Threads.split(block.count, grain: 16_384) { range in
        for entry in entries {
          let start = max(range.lowerBound, entry.offset)
          let end = min(range.upperBound, entry.offset + entry.shape.count)
          guard start < end else { continue }
          plumb_adamw(
            end - start, weights + start, gradients.storage.base + start, first.base + start,
            second.base + start, gradientScale, beta1, beta2, epsilon, stepSize, inverseRoot,
            entry.decays ? decayFactor : 1)
        }
      }
    }
  }
}
