import PlumbData
import PlumbRecipes

/// Shows on standard error how far the reading of dumps is, how fast, and what time is left.
///
/// One line that renews itself on a terminal, else a line now and then; short jobs show nothing.
struct PairsProgress {
  private let clock = ContinuousClock()
  private var step = 0
  private var began: ContinuousClock.Instant
  private var lastShown: ContinuousClock.Instant
  private var hasOpenLine = false
  private let isInteractive = StandardError.isTerminal

  init() {
    began = clock.now
    lastShown = began
  }

  /// Notes how far the work is.
  mutating func show(_ progress: ForumPairsJob.Progress) {
    let now = clock.now
    if progress.step != step { (step, began) = (progress.step, now) }
    let interval: Duration = isInteractive ? .milliseconds(250) : .seconds(10)
    guard now - lastShown >= interval else { return }
    lastShown = now
    let text = Self.text(progress, seconds: (now - began) / .seconds(1))
    StandardError.write(isInteractive ? "\r\u{1B}[K\(text)" : "\(text)\n")
    hasOpenLine = isInteractive
  }

  /// Removes the line: what follows says more.
  mutating func finish() {
    if hasOpenLine { StandardError.write("\r\u{1B}[K") }
    hasOpenLine = false
  }

  /// `reading (1 of 2)  34 %  712 of 2 095 MB  92 MB/s  15 s left`.
  static func text(_ progress: ForumPairsJob.Progress, seconds: Double) -> String {
    func megabytes(_ bytes: Int) -> String { NumberText.grouped(bytes / 1_000_000) }
    var parts = [progress.step == 1 ? "reading (1 of 2)" : "pairing (2 of 2)"]
    if let total = progress.total {
      parts.append(NumberText.percent(Double(progress.done) / Double(max(total, 1)), decimals: 0))
      parts.append("\(megabytes(progress.done)) of \(megabytes(total)) MB")
    } else {
      parts.append("\(megabytes(progress.done)) MB")
    }
    // Work of an earlier run took no time of this one.
    let rate = seconds > 0 ? Double(progress.done - progress.start) / seconds : 0
    if rate > 0 {
      parts.append("\(NumberText.short(rate / 1e6, digits: 3)) MB/s")
      if let total = progress.total {
        parts.append("\(NumberText.duration(Double(max(0, total - progress.done)) / rate)) left")
      }
    }
    if progress.step == 2 { parts.append("\(NumberText.grouped(progress.pairs)) pairs") }
    return parts.joined(separator: "  ")
  }
}
