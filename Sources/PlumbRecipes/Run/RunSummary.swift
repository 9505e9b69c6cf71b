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

  private var stageClaims: [(stage: String, claim: Claim)] {
    stages.flatMap { stage in stage.result.claims.map { (stage.name, $0) } }
  }

  /// The claims as a table for the terminal; nil where there are none.
  public var claimsTable: TextTable? {
    guard !claims.isEmpty else { return nil }
    let cites = claims.contains { $0.paper != nil }
    let isMixed = Set(stageClaims.map(\.stage)).count > 1
    return TextTable(
      title: "Claims",
      columns: (isMixed ? ["stage"] : []) + ["claim", "measured", "bound", "verdict"]
        + (cites ? ["the paper"] : []),
      rows: stageClaims.map { stage, claim in
        (isMixed ? [stage] : []) + [
          claim.name, claim.measuredText,
          "\(claim.relation.rawValue) \(NumberText.short(claim.bound))",
          claim.held ? "held" : "did not hold",
        ] + (cites ? [claim.paper ?? "–"] : [])
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
    // A claim may stand in several stages: together with the stage's name it is one of a kind.
    let claimLines = stageClaims.map { stage, claim in
      "    {\"stage\": \(string(stage)), \"name\": \(string(claim.name)), "
        + "\"measured\": \(number(claim.measured)), "
        + "\"relation\": \(string(claim.relation.rawValue)), "
        + "\"bound\": \(number(claim.bound)), \"held\": \(claim.held)"
        + (claim.interval.map {
          ", \"interval\": [\($0.map(number).joined(separator: ", "))]"
        } ?? "")
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
