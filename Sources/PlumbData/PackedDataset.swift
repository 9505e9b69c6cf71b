/// Token groups with a plan that says which batch they are in; batches are built when asked for.
public struct PackedDataset: Sendable {
  /// A batch by epoch and index, both from 0.
  public struct Position: Codable, Hashable, Sendable {
    /// The pass over the data.
    public var epoch: Int
    /// The batch in that pass.
    public var index: Int

    /// The position at `index` of `epoch`.
    public init(epoch: Int = 0, index: Int = 0) {
      self.epoch = epoch
      self.index = index
    }
  }

  /// The examples.
  public let groups: [TokenGroup]
  /// Which of them form which batch.
  public let plan: BatchPlan

  /// A data set over `groups`; see ``BatchPlan`` for the settings.
  public init(
    _ groups: [TokenGroup], size: BatchSize, seed: UInt64, shuffles: Bool = true,
    dropsRemainder: Bool = false
  ) {
    self.groups = groups
    plan = BatchPlan(
      costs: groups.map(\.tokenCount), size: size, seed: seed, shuffles: shuffles,
      dropsRemainder: dropsRemainder)
  }

  /// The number of batches of an epoch; with a token budget it may differ from epoch to epoch.
  public func batchCount(epoch: Int) -> Int { plan.batches(epoch: epoch).count }

  /// The batch at a position; traps if the epoch has no such batch.
  public func batch(at position: Position) -> PackedBatch {
    PackedBatch(examples(at: position).map { groups[$0] })
  }

  /// The batch at a position in pieces of at most `tokenBudget` tokens, for gradient accumulation.
  ///
  /// The pieces hold the groups of the batch in its order; a group over the budget is alone.
  public func microBatches(at position: Position, tokenBudget: Int) -> [PackedBatch] {
    BatchPlan.filled(examples(at: position), costs: plan.costs, budget: tokenBudget)
      .map { PackedBatch($0.map { groups[$0] }) }
  }

  /// Where the batch of a global step, from 0, lies; traps if there are no batches at all.
  public func position(ofStep step: Int) -> Position {
    precondition(
      !groups.isEmpty && step >= 0,
      "position: expected examples and a step of 0 or more, "
        + "found \(groups.count) examples and step \(step)")
    if case .examples = plan.size {
      let count = batchCount(epoch: 0)
      return Position(epoch: step / count, index: step % count)
    }
    var position = Position(epoch: 0, index: step)
    while true {
      let count = batchCount(epoch: position.epoch)
      if position.index < count { return position }
      position = Position(epoch: position.epoch + 1, index: position.index - count)
    }
  }

  private func examples(at position: Position) -> [Int] {
    let batches = plan.batches(epoch: position.epoch)
    precondition(
      batches.indices.contains(position.index),
      "batch: expected an index below \(batches.count) in epoch \(position.epoch), "
        + "found \(position.index)")
    return batches[position.index]
  }
}
