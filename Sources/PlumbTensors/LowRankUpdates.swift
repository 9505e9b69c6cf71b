/// Low-rank changes to matrices of a parameter block, with parameters of their own.
///
/// A weight W [O, I] acts as `W + scale up down` with `down` [R, I] and `up` [O, R] (LoRA, Hu et al.
/// 2021, arXiv 2106.09685, eq. 3). While a block carries updates, its own scalars are constants and
/// only the updates' `parameters` carry gradients.
public struct LowRankUpdates: Sendable {
  /// The two factors of one weight's change.
  public struct Factors: Hashable, Sendable {
    /// [R, I], reads the input.
    public let down: ParameterID
    /// [O, R], writes the output.
    public let up: ParameterID
    /// Whether the weight lies [I, O], as GPT-2's Conv1D stores it.
    public let isTransposed: Bool

    /// The factors of a weight.
    public init(down: ParameterID, up: ParameterID, isTransposed: Bool) {
      self.down = down
      self.up = up
      self.isTransposed = isTransposed
    }
  }

  /// The factors of all weights.
  public var parameters: ParameterBlock
  /// The factors of each changed weight, by the weight's place in the block that carries the updates.
  public let factors: [ParameterID: Factors]
  /// Multiplies every change.
  public let scale: Float

  /// Changes to some weights of a block.
  /// - Parameters:
  ///   - parameters: the factors; the `down` of weights that are used as one product lie adjacent.
  ///   - factors: by weight.
  ///   - scale: LoRA's alpha / rank.
  public init(parameters: ParameterBlock, factors: [ParameterID: Factors], scale: Float) {
    self.parameters = parameters
    self.factors = factors
    self.scale = scale
  }
}

extension ParameterBlock {
  /// The block that an optimizer moves: that of the updates where there are any, else this one.
  public var trainable: ParameterBlock {
    guard var block = updates?.parameters else { return self }
    if isFrozen { block.isFrozen = true }
    return block
  }

  /// The low-rank terms of weights whose outputs lie side by side; nil where none is changed.
  /// - Parameter weights: adjacent weights [O, I], or one weight.
  public func lowRankTerms(of weights: [ParameterID]) -> LowRankTerms? {
    guard let updates, weights.contains(where: { updates.factors[$0] != nil }) else { return nil }
    let block = trainable
    var column = 0
    var parts: [LowRankTerms.Part] = []
    var downs: [ParameterID] = []
    for weight in weights {
      if let factors = updates.factors[weight] {
        downs.append(factors.down)
        parts.append(LowRankTerms.Part(up: block[factors.up], column: column))
      }
      column += layout[weight].shape[0]
    }
    return LowRankTerms(
      down: downs.count == 1 ? block[downs[0]] : block.fused(downs), parts: parts,
      scale: updates.scale)
  }

  /// Writes the changes into the weights, and drops the updates.
  public mutating func mergeUpdates() {
    guard let updates else { return }
    self.updates = nil
    add(updates)
  }

  /// Adds `factor` times low-rank changes to the weights themselves.
  ///
  /// Factor -1 takes back what `mergeUpdates` has added, up to rounding.
  /// - Parameters:
  ///   - changes: for weights of this block.
  ///   - factor: multiplies the changes' own scale.
  public mutating func add(_ changes: LowRankUpdates, factor: Float = 1) {
    let layout = layout
    let source = changes.parameters.frozen
    withMutableBuffer { block in
      guard let base = block.baseAddress else { return }
      for (weight, factors) in changes.factors {
        let entry = layout[weight]
        let (down, up) = (source[factors.down], source[factors.up])
        let (rank, inputs) = (down.shape[0], down.shape[1])
        let outputs = up.shape[0]
        precondition(
          up.shape[1] == rank
            && entry.shape == (factors.isTransposed ? [inputs, outputs] : [outputs, inputs]),
          "LowRankUpdates: factors \(up.shape) and \(down.shape) do not fit '\(entry.name)' "
            + "\(entry.shape)")
        withExtendedLifetime((down, up)) {
          let left = MatrixView(up.base, outputs, rank)
          let right = MatrixView(down.base, rank, inputs)
          if factors.isTransposed {
            multiply(
              right.transposed, left.transposed, into: base + entry.offset, stride: outputs,
              alpha: factor * changes.scale, beta: 1)
          } else {
            multiply(
              left, right, into: base + entry.offset, stride: inputs,
              alpha: factor * changes.scale, beta: 1)
          }
        }
      }
    }
  }
}
