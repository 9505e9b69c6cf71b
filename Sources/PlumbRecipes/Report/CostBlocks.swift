public import PlumbEvaluation
import PlumbPreferences

extension PreferenceCost {
  /// A row for each K, the kinds side by side.
  public static func table(_ costs: [PreferenceCost]) -> TextTable {
    let kinds = Kind.allCases.filter { kind in costs.contains { $0.kind == kind } }
    let counts = Set(costs.map(\.responses)).sorted()
    return TextTable(
      title: "Comparing K responses: sequences through the trunk, tokens, seconds",
      columns: ["K"] + kinds.flatMap { ["\($0.rawValue)", "tokens", "seconds"] },
      rows: counts.map { count in
        ["\(count)"]
          + kinds.flatMap { kind -> [String] in
            guard let cost = costs.first(where: { $0.kind == kind && $0.responses == count })
            else { return ["–", "–", "–"] }
            return [
              NumberText.grouped(cost.passes.sequences), NumberText.grouped(cost.passes.tokens),
              NumberText.short(cost.seconds, digits: 3),
            ]
          }
      })
  }

  /// Sequences and seconds over K, both axes logarithmic: the slope is the power.
  public static func charts(_ costs: [PreferenceCost]) -> [Chart] {
    func series(_ value: (PreferenceCost) -> Double) -> [Chart.Series] {
      Kind.allCases.compactMap { kind in
        let points = costs.filter { $0.kind == kind }.sorted { $0.responses < $1.responses }
        return points.isEmpty
          ? nil
          : Chart.Series(
            kind.rawValue, points.map { Chart.Point(Double($0.responses), value($0)) })
      }
    }
    let axis = Chart.Axis("responses K", scale: .logarithmic)
    return [
      Chart(
        "Sequences through the trunk", x: axis, y: .init("sequences", scale: .logarithmic),
        .lines(series { Double($0.passes.sequences) })),
      Chart(
        "Time", x: axis, y: .init("seconds", scale: .logarithmic), .lines(series(\.seconds))),
    ]
  }
}
