import PlumbEvaluation
import PlumbPreferences
import PlumbTokenizers

/// What the cyclic benchmark says: table, claims, and the circles that were learnt.
struct CyclicReport {
  let suites: [CyclicSuiteData]
  let records: [CyclicRecord]
  let configuration: CyclicConfiguration

  private func record(_ suite: CyclicSuiteData, _ kind: CyclicKind) -> CyclicRecord? {
    records.first { $0.suite == suite.suite.name && $0.kind == kind }
  }

  /// Pairs of one prompt hang together, so the interval counts prompts, not pairs.
  private func interval(_ record: CyclicRecord) -> Interval {
    let prompts = record.testLogOdds.count
    return .wilson(successes: min(1, record.accuracy) * Double(prompts), trials: prompts)
  }

  private func arrow(_ suite: CyclicSuite) -> String {
    let names = suite.judge.cycle.map(\.rawValue)
    return (names + [names[0]]).joined(separator: " > ")
  }

  func result(stage: String, seed: UInt64) -> StageResult {
    var figures: [Figure] = []
    var claims: [Claim] = []
    var table = TextTable(
      title: "Cyclic preferences, test prompts and answers unseen",
      columns: [
        "suite", "cycle", "prompts", "pairs", "ceiling of a scalar",
      ] + configuration.models.map { $0.rawValue.uppercased() } + ["paper"], rows: [])
    var bars: [Chart.Bar] = []
    var circles: [Chart] = []
    var courses: [Chart.Series] = []
    for suite in suites {
      let name = suite.suite.name
      let ceiling = scalarCeiling(wins: suite.suite.judge.wins)
      figures.append(
        Figure("\(name)/ceiling", ceiling, sampleSize: suite.edges.count))
      bars.append(Chart.Bar(name, ceiling, series: "ceiling of a scalar"))
      var cells: [String] = []
      for kind in configuration.models {
        guard let record = record(suite, kind) else { continue }
        courses.append(
          Chart.Series(
            "\(name), \(kind.rawValue.uppercased())",
            record.course.map { Chart.Point(Double($0.step), $0.accuracy) },
            dashed: kind == .bt))
        let interval = interval(record)
        let prompts = record.testLogOdds.count
        figures += [
          Figure(
            "\(name)/\(kind.rawValue)_accuracy", record.accuracy, interval: interval.range,
            sampleSize: prompts),
          Figure(
            "\(name)/\(kind.rawValue)_validation_accuracy", record.validationAccuracy,
            sampleSize: configuration.validationPrompts),
        ]
        cells.append(
          "\(NumberText.percent(record.accuracy)) [\(NumberText.percent(interval.lower)), "
            + "\(NumberText.percent(interval.upper))]")
        bars.append(
          Chart.Bar(
            name, record.accuracy, interval: interval.range, series: kind.rawValue.uppercased()))
        let paper =
          suite.suite.paper.isEmpty
          ? nil : "\(suite.suite.paper) (arXiv 2410.02197, Table 1)"
        claims.append(
          kind == .gpm
            ? Claim(
              "GPM holds the cycle of '\(name)' on unseen prompts and answers",
              measured: record.accuracy, .atLeast, 0.99, paper: paper)
            : Claim(
              "a scalar reward stays at or below its ceiling on '\(name)'",
              measured: record.accuracy, .atMost, ceiling, paper: paper))
        if kind == .gpm, let circle = circle(suite, record) { circles.append(circle) }
      }
      table.rows.append(
        [
          name, arrow(suite.suite), "\(suite.prompts["test"]?.count ?? 0)",
          "\(suite.pairs("test").count)", NumberText.percent(ceiling),
        ] + cells + [suite.suite.paper])
    }
    let chart = Chart(
      "Accuracy on unseen prompts and answers",
      caption: "Intervals are Wilson's over prompts.", x: .init(""),
      y: .init("accuracy", range: 0...1), .bars(bars))
    let course = Chart(
      "Training accuracy", x: .init("step"), y: .init("accuracy", range: 0...1), .lines(courses))
    return StageResult(
      figures: figures, claims: claims, tables: [table],
      sections: [
        ReportSection(
          "\(stage): judges that cycle over criteria",
          [
            .paragraph(explanation), .table(table), .charts([chart, course]), .charts(circles),
            .samples(suites.prefix(2).compactMap(sample)),
          ])
      ])
  }

  private var explanation: String {
    let sizes = CyclicKind.allCases.compactMap { kind in
      records.first { $0.kind == kind }.map {
        "\(kind.rawValue.uppercased()) has \(NumberText.grouped($0.parameters)) weights, "
          + "\(NumberText.grouped($0.headParameters)) of them in its head"
      }
    }
    return "Each suite has a judge that decides every pair of answers by another criterion, all of "
      + "which can be checked by looking at the text, so that its verdicts run in a circle. The "
      + "criterion is not shown. Both models start from the same trunk and read the same prompts in "
      + "the same order; \(sizes.joined(separator: "; ")). Validation prompts decide which weights "
      + "are kept. No topic, sentence, list item or number of the test occurs in training. The "
      + "ceiling is the largest share of a suite's verdicts that any order of the answers can agree "
      + "with, computed over all orders."
  }

  /// Every test answer in the plane that carries most of the score, and one prompt's circle.
  private func circle(_ suite: CyclicSuiteData, _ record: CyclicRecord) -> Chart? {
    guard let first = record.embeddings.first else { return nil }
    let plane = EmbeddingPlane(record.embeddings)
    let names = suite.suite.judge.cycle.map(\.rawValue)
    let clouds = names.indices.map { role in
      Chart.Series(names[role], record.embeddings.map { plane.point($0.responses[role]) })
    }
    let planes = plane.name(of: configuration.dimension / 2)
    return Chart(
      "Learned embeddings: \(suite.suite.name)",
      caption:
        "All test answers by the criterion that makes their role; in large the answers to one "
        + "prompt. An answer beats those up to half a turn ahead, counter-clockwise."
        + (planes.isEmpty ? "" : " Shown: \(planes)."),
      x: .init("v[\(2 * plane.index)]"), y: .init("v[\(2 * plane.index + 1)]"),
      .embedding(
        Chart.Embedding(
          clouds: clouds,
          points: names.indices.map { .init(names[$0], plane.point(first.responses[$0])) },
          arrows: suite.edges.map { [$0.winner, $0.loser] })))
  }

  private func sample(_ suite: CyclicSuiteData) -> SampleRow? {
    guard let prompt = suite.prompts["test"]?.first else { return nil }
    let names = suite.suite.judge.cycle.map(\.rawValue)
    return SampleRow(
      prompt: prompt.prompt.map(\.content).joined(separator: "\n"),
      answers: names.indices.map { role in
        let beaten = suite.edges.filter { $0.winner == role }.map { names[$0.loser] }
        return SampleRow.Answer(
          model: names[role], text: prompt.responses[role],
          note: "beats \(beaten.joined(separator: " and "))")
      })
  }
}
