import PlumbData
import PlumbEvaluation

/// How the test losses changed along one training, and what WorldPM found, held against it.
struct SuiteCourse {
  /// A change of this size counts as none, nats: the margin of "flat" in the scaling grid.
  static let flatMargin = PreferenceScalingConfiguration().flatMargin

  /// The stage that was trained.
  let name: String
  /// Its snapshots in the order of their steps.
  let points: [(step: Int, scores: MeasuredSuites)]

  /// The mean loss of some tests in the first and in the last snapshot.
  struct Change {
    /// The suite, or a part of it.
    let name: String
    let rows: Int
    /// Nats.
    let before: Double
    let after: Double
    /// After less before, test by test; the interval is over prompts.
    let change: Contrast
  }

  /// First and last snapshot; nil where there are not two.
  private var ends:
    (first: (step: Int, scores: MeasuredSuites), last: (step: Int, scores: MeasuredSuites))?
  {
    guard let first = points.first, let last = points.last, first.step < last.step else {
      return nil
    }
    return (first, last)
  }

  /// The change of a suite; nil where there is no second snapshot, or a single prompt.
  func change(of suite: PreferenceSuite) -> Change? {
    change(suite.rawValue) { $0.rows(of: suite) }
  }

  private func change(_ name: String, _ rows: (SuiteLayout) -> [Int]) -> Change? {
    guard let (first, last) = ends else { return nil }
    let layout = first.scores.layout
    let (before, after) = (first.scores.losses, last.scores.losses)
    let rows = rows(layout)
    guard before.count == after.count, layout.hasSample(rows),
      rows.allSatisfy({ before[$0].isFinite && after[$0].isFinite })
    else { return nil }
    // Two "sizes": the first snapshot and the last.
    let losses = layout.losses(rows, sizes: [1, 2], values: [[before, after]])
    return Change(
      name: name, rows: rows.count, before: losses.means[0], after: losses.means[1],
      change: Contrast(losses, factors: [-1, 1]))
  }

  /// The suites, and the adversarial one in two parts where it has a style grid: a grid weighs as much
  /// as three corruptions, and its loss is another matter than theirs.
  var changes: [Change] {
    guard let layout = points.first?.scores.layout else { return [] }
    return layout.suites.flatMap { suite -> [Change?] in
      let rows = layout.rows(of: suite)
      let styled = rows.filter { layout.stylesOfRow[$0] != nil }
      guard !styled.isEmpty, styled.count < rows.count else { return [change(of: suite)] }
      return [
        change(of: suite),
        change("\(suite.rawValue)/corruptions") { layout in
          rows.filter { layout.stylesOfRow[$0] == nil }
        },
        change("\(suite.rawValue)/style grid") { _ in styled },
      ]
    }.compactMap { $0 }
  }

  /// The changes as a table; nil where there is none.
  var table: TextTable? {
    let changes = changes
    guard let (first, last) = ends, !changes.isEmpty else { return nil }
    return TextTable(
      title: "\(name): test loss at step \(first.step) and \(last.step) (nats)",
      columns: ["tests", "n", "step \(first.step)", "step \(last.step)", "change, 95 % interval"],
      rows: changes.map { change in
        let ends = change.change.interval
        return [
          change.name, "\(change.rows)", NumberText.fixed(change.before, 4),
          NumberText.fixed(change.after, 4),
          NumberText.interval(change.change.value, [ends.lower, ends.upper], decimals: 4),
        ]
      })
  }

  /// `COURSE/SUITE/nll_change`, from the first snapshot to the last.
  var figures: [Figure] {
    changes.map { change in
      Figure(
        "\(name)/\(change.name)/nll_change", change.change.value,
        interval: change.change.interval.range, unit: "nats", sampleSize: change.rows)
    }
  }

  /// WorldPM's findings along the training, in small: what falls, and what does not.
  ///
  /// Held is what the whole interval says. The paper's subjective losses are flat or rising, so there
  /// the claim is that the loss does not fall, by more than ``flatMargin``.
  var claims: [Claim] {
    guard let (first, last) = ends else { return [] }
    let steps = "from step \(first.step) to \(last.step)"
    return PreferenceSuite.allCases.compactMap { suite in
      guard let interval = change(of: suite)?.change.interval else { return nil }
      let paper = "\(Self.paper(suite)) (arXiv 2505.10527, 3.2)"
      switch suite {
      case .adversarial, .objective:
        return Claim(
          "\(name): \(suite.rawValue) test loss falls \(steps) (upper end of the change's 95 % "
            + "interval, nats)", measured: interval.upper, .below, 0, paper: paper)
      case .subjective:
        return Claim(
          "\(name): \(suite.rawValue) test loss does not fall by more than "
            + "\(NumberText.short(Self.flatMargin)) nats \(steps) (lower end of the change's 95 % "
            + "interval)", measured: interval.lower, .atLeast, -Self.flatMargin, paper: paper)
      }
    }
  }

  private static func paper(_ suite: PreferenceSuite) -> String {
    switch suite {
    case .adversarial: "falls as a power law for all sizes"
    case .objective:
      "falls for large models only: for 72B on all tests, for 7B on some, for 1.5B on none"
    case .subjective: "flat or rising for all sizes"
    }
  }
}
