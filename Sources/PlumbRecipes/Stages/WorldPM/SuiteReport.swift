import PlumbData
import PlumbEvaluation

/// Tables, plots, figures and claims of models on the suites.
struct SuiteReport {
  typealias Subject = PreferenceSuitesStage.Subject

  let found: [(subject: Subject, scores: MeasuredSuites)]

  init(_ found: [(subject: Subject, scores: MeasuredSuites)]) { self.found = found }

  func result(suites: SuiteConfiguration) -> StageResult {
    let models = found.filter { $0.subject.course == nil }
    let overview = TextTable(
      title: "Preference models on three suites (means over tasks)",
      columns: ["model", "suite", "tests", "accuracy", "NLL (nats)"],
      rows: found.flatMap { subject, scores in
        scores.suites.map { _, score in [subject.name, score.name] + Self.cells(score) }
      })
    var blocks: [ReportBlock] = [
      .paragraph(
        "Adversarial: good answers made worse on purpose, and style grids. Objective: answers with a "
          + "known truth. Subjective: held-out votes and preferences of people. Loss is that of "
          + "Bradley-Terry; a coin has 0.693. Intervals are 95 % bootstrap intervals over prompts."),
      .table(overview),
    ]
    if !models.isEmpty { blocks.append(.charts([accuracies(models)])) }
    let courses = courses
    let changes = courses.compactMap(\.table)
    if !courses.isEmpty { blocks.append(.charts(courses.map(chart))) }
    if !changes.isEmpty {
      blocks.append(
        .paragraph(
          "What changed between the first snapshot and the last, test by test. A claim holds where the "
            + "whole interval says so."))
      blocks += changes.map { .table($0) }
    }
    var sections = [ReportSection("Three suites", blocks)]
    sections.append(ReportSection("Tasks", models.flatMap { taskBlocks($0.subject, $0.scores) }))
    return StageResult(
      figures: found.flatMap { $0.scores.figures($0.subject.name) } + courses.flatMap(\.figures),
      claims: courses.flatMap(\.claims), tables: [overview] + changes,
      sections: sections.filter { !$0.blocks.isEmpty })
  }

  private static func cells(_ score: MeasuredSuites.Score) -> [String] {
    [
      "\(score.rows)",
      NumberText.interval(
        score.accuracy, [score.accuracyInterval.lower, score.accuracyInterval.upper]),
      NumberText.interval(score.nll, [score.nllInterval.lower, score.nllInterval.upper]),
    ]
  }

  private func taskBlocks(_ subject: Subject, _ scores: MeasuredSuites) -> [ReportBlock] {
    var blocks: [ReportBlock] = [
      .heading(subject.name),
      .table(
        TextTable(
          columns: ["suite", "task", "tests", "accuracy", "NLL (nats)"],
          rows: scores.tasks.map { [$0.suite.rawValue, $0.score.name] + Self.cells($0.score) })),
    ]
    if let table = scores.styleTable {
      let names = Self.styleNames(table.count)
      let sums = StyleGrid.accuracies(table)
      blocks.append(
        .table(
          TextTable(
            title: "Style grid: right answer (rows) against wrong answer (columns); "
              + StyleGrid.Relation.allCases.map {
                "\($0.rawValue) \(NumberText.percent(sums[$0] ?? .nan))"
              }.joined(separator: ", "),
            columns: ["right \\ wrong"] + names,
            rows: zip(names, table).map { [$0] + $1.map { NumberText.percent($0) } })))
    }
    return blocks
  }

  /// RM-Bench's three styles by name, others by number.
  private static func styleNames(_ count: Int) -> [String] {
    count == 3
      ? ["concise", "detailed", "detailed, Markdown"] : (1...max(1, count)).map { "style \($0)" }
  }

  private func accuracies(_ models: [(subject: Subject, scores: MeasuredSuites)]) -> Chart {
    Chart(
      "Accuracy by suite", caption: "Means over tasks; bars are 95 % intervals over prompts.",
      y: .init("accuracy", range: 0...1),
      .bars(
        models.flatMap { subject, scores in
          scores.suites.map { _, score in
            Chart.Bar(
              score.name, score.accuracy, interval: score.accuracyInterval.range,
              series: subject.name)
          }
        }))
  }

  /// The snapshots of each course in the order of their steps.
  private var courses: [SuiteCourse] {
    var names: [String] = []
    for entry in found {
      if let course = entry.subject.course, !names.contains(course) { names.append(course) }
    }
    return names.map { name in
      let points = found.filter { $0.subject.course == name }
        .compactMap { entry in entry.subject.step.map { (step: $0, scores: entry.scores) } }
      return SuiteCourse(name: name, points: points.sorted { $0.step < $1.step })
    }
  }

  private func chart(_ course: SuiteCourse) -> Chart {
    let suites = course.points.first?.scores.suites.map(\.suite) ?? []
    return Chart(
      "\(course.name): test loss along the training",
      caption: "Means over the tasks of each suite, with 95 % intervals over prompts.",
      x: .init("optimizer steps", scale: .logarithmic), y: .init("loss (nats/pair)"),
      .lines(
        suites.map { suite in
          Chart.Series(
            suite.rawValue,
            course.points.compactMap { point in
              point.scores.suites.first { $0.suite == suite }.map {
                Chart.Point(
                  Double(point.step), $0.score.nll, interval: $0.score.nllInterval.range)
              }
            })
        }))
  }
}
