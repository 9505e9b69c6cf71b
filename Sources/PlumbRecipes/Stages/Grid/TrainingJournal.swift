import Foundation

/// Where a training loop continues from and reports to: a stage, or memory.
protocol TrainingJournal {
  /// Loads the newest checkpoint, if there is one, and says which step is next, from 1.
  func resume(_ load: (URL) throws -> Void) throws -> Int

  /// Ends a step; may save a checkpoint and may throw to stop.
  func finishStep(
    _ step: Int, of total: Int, metrics: [String: Double], loss: Double?, tokens: Int?,
    checkpointEvery: Int, save: ((URL) throws -> Void)?
  ) throws

  /// Tells something that does not stop the training.
  func warn(_ message: String)
}

extension StageContext: TrainingJournal {}

/// The journal of a training that lives in memory and is done again if it is interrupted.
final class MemoryJournal: TrainingJournal {
  /// Every step's metrics, in order.
  private(set) var metrics: [[String: Double]] = []
  /// Steps that were skipped, and why.
  private(set) var warnings: [String] = []
  private let report: (Int, Int, Double?) throws -> Void

  /// - Parameter report: is told the step, the number of steps and the loss; may throw to stop.
  init(report: @escaping (_ step: Int, _ count: Int, _ loss: Double?) throws -> Void) {
    self.report = report
  }

  func resume(_ load: (URL) throws -> Void) -> Int { 1 }

  func finishStep(
    _ step: Int, of total: Int, metrics values: [String: Double], loss: Double?, tokens: Int?,
    checkpointEvery: Int, save: ((URL) throws -> Void)?
  ) throws {
    metrics.append(values)
    try report(step, total, loss)
  }

  func warn(_ message: String) { warnings.append(message) }

  /// One metric over the steps that have it.
  func series(_ name: String) -> [(step: Int, value: Double)] {
    metrics.enumerated().compactMap { index, values in values[name].map { (index + 1, $0) } }
  }
}
