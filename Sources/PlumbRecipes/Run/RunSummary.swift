/// What a whole run found: the content of `summary.json`.
public struct RunSummary: Sendable {
  /// One stage and its result.
  public struct Stage: Sendable {
    /// The stage's name in the recipe.
    public let name: String
    /// The stage's type.
    public let kind: String
    /// Of settings and inputs.
    public let fingerprint: String
    /// How long it took when it ran.
    public let seconds: Double
    /// What it found.
    public let result: StageResult
  }

  /// The recipe's name.
  public let recipe: String
  /// The recipe's seed.
  public let seed: UInt64
  /// The recipe's number of threads.
  public let threads: Int
  /// The stages in order.
  public let stages: [Stage]

  /// All figures, named `stage/figure`, in order.
  public var figures: [Figure] {
    stages.flatMap { stage in
      stage.result.figures.map { figure in
        var named = figure
        named.name = "\(stage.name)/\(figure.name)"
        return named
      }
    }
  }

  /// All claims in order.
  public var claims: [Claim] { stages.flatMap(\.result.claims) }

  /// The claims as a table for the terminal; nil where there are none.
  public var claimsTable: TextTable? {
    guard !claims.isEmpty else { return nil }
    let cites = claims.contains { $0.paper != nil }
    return TextTable(
      title: "Claims",
      columns: ["claim", "measured", "bound", "verdict"] + (cites ? ["the paper"] : []),
      rows: claims.map {
        [
          $0.name, NumberText.short($0.measured),
          "\($0.relation.rawValue) \(NumberText.short($0.bound))",
          $0.held ? "held" : "did not hold",
        ] + (cites ? [$0.paper ?? ""] : [])
      })
  }

  /// `summary.json`; the same bytes for the same results, so no time is in it.
  var json: String {
    let number = JSONText.number
    let string = JSONText.string
    let figureLines = figures.map { figure in
      let interval =
        figure.interval.map { "[\($0.map(number).joined(separator: ", "))]" } ?? "null"
      return "    \(string(figure.name)): {\"value\": \(number(figure.value)), "
        + "\"interval\": \(interval), \"unit\": \(string(figure.unit)), "
        + "\"n\": \(figure.sampleSize)}"
    }
    let claimLines = claims.map { claim in
      "    {\"name\": \(string(claim.name)), \"measured\": \(number(claim.measured)), "
        + "\"relation\": \(string(claim.relation.rawValue)), "
        + "\"bound\": \(number(claim.bound)), \"held\": \(claim.held)"
        + (claim.paper.map { ", \"paper\": \(string($0))" } ?? "") + "}"
    }
    let stageLines = stages.map { stage in
      "    {\"name\": \(string(stage.name)), \"kind\": \(string(stage.kind)), "
        + "\"fingerprint\": \(string(stage.fingerprint))}"
    }
    func block(_ open: String, _ lines: [String], _ close: String) -> String {
      lines.isEmpty ? open + close : "\(open)\n\(lines.joined(separator: ",\n"))\n  \(close)"
    }
    return """
      {
        "recipe": \(string(recipe)),
        "seed": \(seed),
        "threads": \(threads),
        "figures": \(block("{", figureLines, "}")),
        "claims": \(block("[", claimLines, "]")),
        "stages": \(block("[", stageLines, "]"))
      }

      """
  }
}
