import Glibc
import PlumbRecipes

/// Counts rows on standard error: one line that renews itself on a terminal, else a line now and then.
///
/// Short jobs show nothing, and nothing is mixed into results that go to the same terminal.
struct RowProgress {
  private let clock = ContinuousClock()
  private let began: ContinuousClock.Instant
  private var lastShown: ContinuousClock.Instant
  private var rows = 0
  /// How many rows there will be, where that is known.
  private let total: Int?
  private var hasOpenLine = false
  private let isInteractive = StandardError.isTerminal
  private let isSilent = StandardError.isTerminal && isatty(STDOUT_FILENO) == 1

  init(total: Int? = nil) {
    self.total = total
    began = clock.now
    lastShown = began
  }

  /// Notes that more rows are done.
  mutating func advance(rows count: Int) {
    rows += count
    let interval: Duration = isInteractive ? .seconds(1) : .seconds(30)
    guard !isSilent, clock.now - lastShown >= interval else { return }
    lastShown = clock.now
    let seconds = Double((lastShown - began).components.seconds)
    let rate = Double(rows) / max(seconds, 1)
    var text = "\(rows)\(total.map { " of \($0)" } ?? "") rows, \(Int(rate)) rows/s"
    if let total, rate > 0 {
      text += ", \(NumberText.duration(Double(max(0, total - rows)) / rate)) left"
    }
    StandardError.write(isInteractive ? "\r\u{1B}[K\(text)" : "\(text)\n")
    hasOpenLine = isInteractive
  }

  /// Closes the line.
  mutating func finish() {
    if hasOpenLine { StandardError.write("\n") }
    hasOpenLine = false
  }
}
