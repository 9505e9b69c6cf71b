/// What a run tells its observers, in the order it happens.
public enum RunEvent: Sendable {
  /// The run begins, with the names of its stages.
  case runStarted(name: String, stages: [String])
  /// A stage begins; `resumedAfter` is the step of the checkpoint it continues.
  case stageStarted(stage: String, kind: String, index: Int, count: Int, resumedAfter: Int?)
  /// A step is done.
  case progress(RunProgress)
  /// What the stage is doing now.
  case note(stage: String, message: String)
  /// Something worth knowing that does not stop the run.
  case warning(stage: String, message: String)
  /// A table of results.
  case table(TextTable)
  /// A stage is done, or was done before and nothing has changed.
  case stageFinished(stage: String, seconds: Double, skipped: Bool)
  /// All stages are done.
  case runFinished(summary: RunSummary, seconds: Double)
}

/// How far a stage is.
public struct RunProgress: Sendable, Equatable {
  /// The stage.
  public let stage: String
  /// The last step that is done, from 1.
  public let step: Int
  /// The number of steps.
  public let total: Int
  /// The current loss.
  public let loss: Double?
  /// Tokens per second over the last step.
  public let tokensPerSecond: Double?

  /// Progress of a stage.
  public init(
    stage: String, step: Int, total: Int, loss: Double? = nil, tokensPerSecond: Double? = nil
  ) {
    self.stage = stage
    self.step = step
    self.total = total
    self.loss = loss
    self.tokensPerSecond = tokensPerSecond
  }
}

/// Something that follows a run: the terminal, a log, a page.
public protocol RunObserver: AnyObject {
  /// Called on the thread of the run, between two pieces of work.
  func receive(_ event: RunEvent)
}
