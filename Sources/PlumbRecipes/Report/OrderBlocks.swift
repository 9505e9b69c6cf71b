public import PlumbEvaluation
import PlumbPreferences

private func share(_ value: Double) -> String { NumberText.percent(value) }

/// A value with its interval; a dash where there is none.
private func text(
  _ value: Double?, _ interval: Interval?, _ show: (Double) -> String
) -> String {
  guard let value else { return "–" }
  return show(value) + (interval.map { " [\(show($0.lower)), \(show($0.upper))]" } ?? "")
}

extension MeasuredOrderBias {
  /// What the order of the responses decides, for a page.
  public var section: ReportSection {
    func nats(_ value: Double) -> String { NumberText.fixed(value, 3) }
    return ReportSection(
      "Order of the responses",
      [
        .table(
          TextTable(
            columns: ["what", "value and 95 % interval"],
            rows: [
              ["pairs read in both orders", "\(bias.pairs)"],
              ["verdicts that change with the order", text(bias.flips, flips, share)],
              ["of these in favour of the first place", share(bias.flipsToFirst)],
              [
                "mean log-odds of the first place",
                text(bias.firstPlaceLogit, firstPlaceLogit, nats),
              ],
              [
                "mean magnitude of it, pair by pair",
                text(bias.meanMagnitude, meanMagnitude, nats),
              ],
            ]))
      ])
  }
}

extension VerdictOrder {
  /// What the order of the responses decides, for a page.
  public var section: ReportSection {
    return ReportSection(
      "Order of the responses",
      [
        .paragraph(
          "Every pair is shown in both orders by turns. A judge that favours no place gives half of its "
            + "verdicts to the first, however often it is right."),
        .table(
          TextTable(
            columns: ["what", "value and 95 % interval"],
            rows: [
              ["pairs with verdicts in both orders", "\(pairs)"],
              [
                "of these with a verdict that changes with the order",
                text(flips, flipsInterval, share),
              ],
              ["verdicts for the first place", text(firstPlace, firstPlaceInterval, share)],
            ])),
      ])
  }
}
