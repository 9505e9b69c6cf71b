import PlumbData
public import PlumbEvaluation

/// Tables, figures and claims of one tournament.
struct TournamentReport {
  let name: String
  let tournament: Tournament
  /// By level.
  let results: [[TournamentStudy.Result]]
  let cyclicity: TournamentCyclicity?

  private func key(_ form: TournamentModel.Form) -> String {
    switch form {
    case .place: "place"
    case .ratings: "bt"
    case .skew(let planes): "gpm_k\(planes)"
    }
  }

  var figures: [Figure] {
    var figures = results.joined().flatMap { one -> [Figure] in
      let stem = "\(name)/\(one.level.rawValue)/\(key(one.form))"
      return [
        Figure(
          "\(stem)/nll", one.nll, interval: one.interval.range, unit: "nats",
          sampleSize: one.verdicts),
        Figure(
          "\(stem)/gain_over_bt", one.gain, interval: one.gainInterval.range, unit: "nats",
          sampleSize: one.verdicts),
        Figure(
          "\(stem)/captured_cycles", one.capturedCycles,
          sampleSize: cyclicity?.oneOrder.counts.cycles ?? 0),
      ]
    }
    guard let found = cyclicity?.oneOrder else { return figures }
    let interval = Interval.wilson(
      successes: Double(found.counts.cycles), trials: found.counts.triples)
    figures += [
      Figure(
        "\(name)/strict_cycles", Double(found.counts.cycles), unit: "triples",
        sampleSize: found.counts.triples),
      Figure(
        "\(name)/strict_cycle_share",
        Double(found.counts.cycles) / Double(max(1, found.counts.triples)),
        interval: interval.range, sampleSize: found.counts.triples),
      Figure(
        "\(name)/cyclic_energy_share", found.cyclicShare.value,
        interval: found.cyclicShare.interval.range, sampleSize: found.prompts),
      Figure(
        "\(name)/harmonic_energy_share", found.energy.harmonicShare, sampleSize: found.prompts),
    ]
    if let null = found.cyclicShare.null {
      figures.append(
        Figure(
          "\(name)/cyclic_energy_share_of_noise", null.mean, interval: null.interval.range,
          sampleSize: found.prompts))
    }
    return figures
  }

  var claims: [Claim] {
    var claims: [Claim] = []
    let skew = results.first { $0.first?.level == .system }?.filter {
      if case .skew = $0.form { true } else { false }
    }
    if let best = skew?.max(by: { $0.gainInterval.lower < $1.gainInterval.lower }) {
      claims.append(
        Claim(
          "skew embeddings predict held-out verdicts of \(name) better than ratings "
            + "(\(best.form.name), nats per verdict, lower end of the 95 % interval)",
          measured: best.gainInterval.lower, .above, 0,
          paper: "RewardBench, Gemma-2B: BT 74.9, GPM 80.3 to 82.3 (arXiv 2410.02197, Table 2)"))
    }
    if let found = cyclicity?.oneOrder.cyclicShare, let null = found.null {
      claims.append(
        Claim(
          "systems of \(name) beat each other in circles beyond noise (share of the table's energy "
            + "above the null's 97.5 % quantile)",
          measured: found.value - null.interval.upper, .above, 0))
    }
    return claims
  }

  var tables: [TextTable] { [fitTable, cyclicityTable].compactMap { $0 } }

  private var fitTable: TextTable? {
    guard results.contains(where: { !$0.isEmpty }) else { return nil }
    return TextTable(
      title: "\(name): held-out verdicts (a coin has 0.693 nats)",
      columns: [
        "told apart", "model", "verdicts", "NLL (nats)", "gain over BT (nats)", "cycles captured",
      ],
      rows: results.joined().map { one in
        [
          one.level.rawValue, one.form.name, "\(one.verdicts)",
          NumberText.interval(one.nll, [one.interval.lower, one.interval.upper], decimals: 4),
          one.form == .ratings
            ? "–"
            : NumberText.interval(
              one.gain, [one.gainInterval.lower, one.gainInterval.upper], decimals: 4),
          NumberText.percent(one.capturedCycles),
        ]
      })
  }

  private var cyclicityTable: TextTable? {
    guard let cyclicity else { return nil }
    return cyclicity.oneOrder.table(
      title: "\(name): how cyclic", other: ("an order for each prompt", cyclicity.orderPerPrompt))
  }

  func section(stage: String) -> ReportSection {
    var blocks: [ReportBlock] = [
      .paragraph(
        "\(tournament.systems.count) systems, \(tournament.prompts.count) prompts, "
          + "\(tournament.comparisons.count) verdicts. Ratings are Bradley-Terry's; skew embeddings "
          + "have k planes and can hold cycles. Every model has a term for the first place. A tie "
          + "counts as half of either verdict. Penalties were chosen on validation verdicts; "
          + "intervals draw whole prompts. Where prompts are told apart, one of the two orders in "
          + "which a pair was judged is held out.")
    ]
    blocks += tables.map { .table($0) }
    let bars = results.joined().filter { $0.form != .ratings && $0.form != .place }.map { one in
      Chart.Bar(
        one.form.name, one.gain, interval: one.gainInterval.range,
        series: "\(one.level.rawValue) told apart")
    }
    if !bars.isEmpty {
      blocks.append(
        .charts([
          Chart(
            "Gain of skew embeddings over ratings",
            caption: "Held-out verdicts; above 0 the embeddings predict better.", x: .init(""),
            y: .init("nats per verdict"), .bars(bars))
        ]))
    }
    return ReportSection("\(stage): \(name)", blocks)
  }
}

extension Cyclicity {
  /// The measurements with what noise alone would show, a row each.
  ///
  /// - Parameters:
  ///   - title: over the table.
  ///   - other: the same preferences measured against another null, with its name.
  public func table(title: String, other: (name: String, cyclicity: Cyclicity)? = nil) -> TextTable
  {
    func null(_ null: Null?) -> String {
      null.map {
        "\(NumberText.percent($0.mean, decimals: 2)) "
          + "[\(NumberText.percent($0.interval.lower, decimals: 2)), "
          + "\(NumberText.percent($0.interval.upper, decimals: 2))], "
          + "p = \(NumberText.fixed($0.pValue, 3))"
      } ?? "–"
    }
    func row(_ name: String, _ path: (Cyclicity) -> Measure) -> [String] {
      let measure = path(self)
      return [
        name, NumberText.percent(measure.value, decimals: 2),
        "[\(NumberText.percent(measure.interval.lower, decimals: 2)), "
          + "\(NumberText.percent(measure.interval.upper, decimals: 2))]", null(measure.null),
      ] + (other.map { [null(path($0.cyclicity).null)] } ?? [])
    }
    let blank = other == nil ? [] : ["–"]
    return TextTable(
      title: title,
      columns: ["what", "measured", "95 % interval", "noise around one order"]
        + (other.map { ["noise around \($0.name)"] } ?? []),
      rows: [
        [
          "prompts, of these with comparisons in a loop", "\(prompts), \(promptsWithLoops)", "–",
          "–",
        ] + blank,
        ["verdicts", "\(comparisons)", "–", "–"] + blank,
        [
          "strict 3-cycles, of triples compared in full", "\(counts.cycles) of \(counts.triples)",
          "–", "–",
        ] + blank,
        row("of decided triples", \.cycles),
        row(
          isPooled ? "cyclic part of the pooled table's energy" : "cyclic part of the energy",
          \.cyclicShare),
        row("of it around triangles (curl)", \.curlShare),
      ])
  }
}
