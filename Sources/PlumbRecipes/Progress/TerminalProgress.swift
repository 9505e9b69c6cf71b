import Foundation

/// Shows a run on the terminal: one line that renews itself, or plain lines where there is none.
///
/// Everything goes to standard error; standard output stays for results.
public final class TerminalProgress: RunObserver {
  private let write: (String) -> Void
  private let isInteractive: Bool
  private let now: () -> Double
  private let interval: Double
  private var stageBegan = 0.0
  private var firstStep: Int?
  private var firstStepTime = 0.0
  private var lastShown = -Double.infinity
  private var lastShare = 0.0
  private var tokenRate: Double?
  private var hasOpenLine = false

  /// A renderer on standard error.
  public convenience init() {
    self.init(
      isInteractive: isatty(STDERR_FILENO) == 1,
      now: { Date.timeIntervalSinceReferenceDate },
      write: { FileHandle.standardError.write(Data($0.utf8)) })
  }

  /// A renderer that writes elsewhere.
  ///
  /// - Parameters:
  ///   - isInteractive: Whether a line can be renewed in place.
  ///   - now: Seconds since any moment.
  public init(
    isInteractive: Bool, now: @escaping () -> Double, write: @escaping (String) -> Void
  ) {
    self.isInteractive = isInteractive
    self.now = now
    self.write = write
    interval = isInteractive ? 0.1 : 10
  }

  /// Shows an event.
  public func receive(_ event: RunEvent) {
    switch event {
    case .runStarted(let name, let stages):
      line("\(name): \(stages.count) stages: \(stages.joined(separator: ", "))")
    case .stageStarted(let stage, let kind, let index, let count, let resumedAfter):
      startStage()
      let continued = resumedAfter.map { ", continued after step \($0)" } ?? ""
      let type = kind == stage ? "" : " (\(kind))"
      line("[\(index + 1)/\(count)] \(stage)\(type)\(continued)")
    case .progress(let progress): show(progress)
    case .note(_, let message): line("  \(message)")
    case .warning(let stage, let message): line("  warning: \(stage): \(message)")
    case .table(let table): line(table.text)
    case .stageFinished(let stage, _, skipped: true): line("\(stage): unchanged, skipped")
    case .stageFinished(let stage, let seconds, skipped: false):
      line("  \(stage) done in \(NumberText.duration(seconds))")
    case .runFinished(let summary, let seconds):
      line("\(summary.recipe) done in \(NumberText.duration(seconds))")
    }
  }

  private func startStage() {
    stageBegan = now()
    firstStep = nil
    lastShown = -.infinity
    lastShare = 0
    tokenRate = nil
  }

  private func show(_ progress: RunProgress) {
    let time = now()
    // A continued stage starts at a later step: rate and time left count from there.
    if firstStep == nil {
      firstStep = progress.step - 1
      firstStepTime = stageBegan
    }
    if let rate = progress.tokensPerSecond {
      tokenRate = tokenRate.map { $0 + 0.2 * (rate - $0) } ?? rate
    }
    let share = Double(progress.step) / Double(max(1, progress.total))
    let isLast = progress.step >= progress.total
    let isDue =
      time - lastShown >= interval || (!isInteractive && share - lastShare >= 0.1) || isLast
    guard isDue else { return }
    lastShown = time
    lastShare = share
    let text = Self.text(
      progress, doneHere: progress.step - (firstStep ?? 0), seconds: time - firstStepTime,
      tokenRate: tokenRate)
    if isInteractive {
      write("\r\u{1B}[K\(text)")
      hasOpenLine = true
      if isLast { closeLine() }
    } else {
      line(text)
    }
  }

  /// `  step 120/400  30 %  loss 0.6213  5 210 tok/s  2.1 steps/s  2 min 13 s left`.
  static func text(
    _ progress: RunProgress, doneHere: Int, seconds: Double, tokenRate: Double?
  ) -> String {
    var parts = ["step \(progress.step)/\(progress.total)"]
    parts.append("\(100 * progress.step / max(1, progress.total)) %")
    if let loss = progress.loss { parts.append("loss \(NumberText.fixed(loss, 4))") }
    if let tokenRate { parts.append("\(NumberText.grouped(Int(min(tokenRate, 1e15)))) tok/s") }
    if seconds > 0, doneHere > 0 {
      let stepRate = Double(doneHere) / seconds
      parts.append("\(NumberText.short(stepRate)) steps/s")
      let left = Double(progress.total - progress.step) / stepRate
      if left > 0 { parts.append("\(NumberText.duration(left)) left") }
    }
    return "  " + parts.joined(separator: "  ")
  }

  private func line(_ text: String) {
    closeLine()
    write(text.hasSuffix("\n") ? text : text + "\n")
  }

  private func closeLine() {
    guard hasOpenLine else { return }
    write("\n")
    hasOpenLine = false
  }
}
