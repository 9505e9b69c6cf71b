/// Every metric that a stage writes, from which `Documentation/Metrics.md` and `plumb metrics` are made.
///
/// A test holds the runs of all stages against it: a metric without an entry fails.
public enum MetricTable {
  /// All entries, sorted by name.
  public static let entries: [MetricEntry] =
    [
      trainingMetrics, preferenceMetrics, policyMetrics, pairMetrics, ppoMetrics,
      policyGradientMetrics, gameMetrics, selectionMetrics, watchMetrics, truthMetrics,
    ].flatMap { $0 }.sorted { $0.name < $1.name }

  /// What stands before the name of a metric that was measured on the validation rows.
  static let validationPrefix = "eval_"

  /// The entry of a name as a metrics file has it: its own, that of the metric that `eval_` stands
  /// before, or that of TRL's name; nil for none.
  public static func entry(named name: String) -> MetricEntry? {
    let exact = entries.first { $0.name == name } ?? entries.first { $0.matches(name) }
    if let exact { return exact }
    if name.hasPrefix(validationPrefix) {
      return entry(named: String(name.dropFirst(validationPrefix.count)))
    }
    return entries.first { $0.alias.name == name }
  }

  /// Names that a mistyped one may have meant: those that hold it, or share its last part.
  public static func suggestions(for name: String) -> [String] {
    let last = name.split(separator: "/").last.map(String.init) ?? name
    return entries.map(\.name).filter { $0.contains(name) || (!last.isEmpty && $0.contains(last)) }
  }

  /// `Documentation/Metrics.md`.
  public static var markdown: String {
    func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }
    let rows = entries.map { entry in
      let trl: String =
        switch entry.alias {
        case .same(let name): "`\(name)`"
        case .differs(let name, let how): "not its `\(name)`: \(how)"
        case .none(let why): "– (\(why))"
        }
      return [
        "`\(entry.name)`", entry.meaning, entry.unit.isEmpty ? "–" : entry.unit, entry.reduction,
        entry.mask, entry.direction.rawValue, trl,
        entry.stages.map { "`\($0)`" }.joined(separator: ", "),
      ].map(cell).joined(separator: " | ")
    }
    return Self.preface + rows.map { "| \($0) |\n" }.joined()
  }

  private static let preface = """
    # Metrics

    Every number that a stage writes to `metrics.jsonl`, and to TensorBoard beside it ([Watching](Watching.md)). This page is made from the
    table in `Sources/PlumbRecipes/Metrics` by `plumb metrics --markdown`; a test holds it and the runs of all stages against that table.

    - *Over* says what the number is a mean over; *mask* which tokens or rows take part. There is no padding, so no mean is diluted by it.
    - `eval_NAME` is NAME on the validation rows.
    - A column *TRL* with a name means: the same quantity as TRL logs under that name. Where a name is the same and the quantity is not, it says so.
    - KL estimates: with d = log π - log π_ref of a sampled token, k1 = d, k2 = d²/2, k3 = e^(-d) - 1 + d (Schulman 2020). A k1 of few samples may be negative.
    - A value that is not finite is written as `null` and left out of TensorBoard.

    ```sh
    plumb metrics objective/kl
    ```

    | metric | meaning | unit | over | mask | better | TRL | stages |
    | --- | --- | --- | --- | --- | --- | --- | --- |

    """
}
