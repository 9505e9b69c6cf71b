extension Report {
  /// The report of a run: claims first, then the last stage's part, which is what a run leads to, the other stages'
  /// in order, all figures, and how it was made.
  public init(of summary: RunSummary, recipe: Recipe, environment: RunEnvironment) {
    self.init(title: summary.recipe, lead: recipe.description)
    let seconds = summary.stages.reduce(0) { $0 + $1.seconds }
    facts = [
      Fact("stages", "\(summary.stages.count)"), Fact("time", NumberText.duration(seconds)),
      Fact("seed", "\(summary.seed)"), Fact("threads", "\(summary.threads)"),
    ]
    if !summary.claims.isEmpty {
      let held = summary.claims.filter(\.held).count
      facts.insert(Fact("claims held", "\(held) of \(summary.claims.count)"), at: 0)
      sections.append(ReportSection("Claims", [.claims(summary.claims)]))
    }
    for stage in summary.stages.suffix(1) + summary.stages.dropLast() {
      // A stage that has no part of its own still shows its tables.
      sections +=
        stage.result.sections.isEmpty && !stage.result.tables.isEmpty
        ? [ReportSection(stage.name, stage.result.tables.map(ReportBlock.table))]
        : stage.result.sections
    }
    if !summary.figures.isEmpty {
      sections.append(ReportSection("All figures", [.table(Self.table(of: summary.figures))]))
    }
    sections.append(
      ReportSection(
        "How it was made",
        [
          .table(Self.table(of: summary.stages)),
          .details(summary: "Recipe with all settings", text: recipe.yaml),
          .table(
            TextTable(
              title: "Environment", columns: ["", ""],
              rows: environment.rows.map { [$0.name, $0.value] })),
        ]))
  }

  private static func table(of figures: [Figure]) -> TextTable {
    TextTable(
      columns: ["figure", "value", "95 % interval", "unit", "n"],
      rows: figures.map { figure in
        let ends = figure.interval.map { ends in
          ends.map { NumberText.short($0) }.joined(separator: " to ")
        }
        return [
          figure.name, NumberText.short(figure.value), ends ?? "–", figure.unit,
          NumberText.grouped(figure.sampleSize),
        ]
      })
  }

  private static func table(of stages: [RunSummary.Stage]) -> TextTable {
    TextTable(
      title: "Stages", columns: ["stage", "kind", "time", "fingerprint"],
      rows: stages.map {
        [$0.name, $0.kind, NumberText.duration($0.seconds), String($0.fingerprint.prefix(12))]
      })
  }
}
