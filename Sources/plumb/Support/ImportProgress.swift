import PlumbRecipes

/// Shows on standard error how much of a model is written.
///
/// One line that renews itself on a terminal, else a line now and then; short imports show nothing.
struct ImportProgress {
  private let total: Int
  private let clock = ContinuousClock()
  private var lastShown: ContinuousClock.Instant
  private var hasOpenLine = false
  private let isInteractive = StandardError.isTerminal

  /// - Parameter total: numbers to be written in all.
  init(total: Int) {
    self.total = total
    lastShown = clock.now
  }

  /// Notes that `done` numbers are written.
  mutating func show(_ done: Int) {
    let interval: Duration = isInteractive ? .milliseconds(200) : .seconds(10)
    guard clock.now - lastShown >= interval else { return }
    lastShown = clock.now
    let text =
      "\(NumberText.percent(Double(done) / Double(max(total, 1)), decimals: 0)) of "
      + "\(NumberText.grouped(total)) parameters"
    StandardError.write(isInteractive ? "\r\u{1B}[K\(text)" : "\(text)\n")
    hasOpenLine = isInteractive
  }

  /// Removes the line: what follows says more.
  mutating func finish() {
    if hasOpenLine { StandardError.write("\r\u{1B}[K") }
    hasOpenLine = false
  }
}
