import PlumbEvaluation
import PlumbTestSupport

/// `golden/evaluation/evaluation.json`, made by `make_evaluation.py` with NumPy and SciPy.
struct EvaluationGolden: Decodable {
  let temperature: [Temperature]
  let regression: [Regression]
  let style: Style
  let markdown: [Markdown]
  let consistency: Consistency

  struct Temperature: Decodable {
    let log_odds: [Double]
    let temperature, nll: Double
  }
  struct Regression: Decodable {
    let rows: [[Double]]
    let outcomes: [Int]
    let ridge: Double
    let weights: [Double]
    let separated: Bool
  }
  struct Pairs: Decodable {
    let log_odds: [Double]
    let chosen, rejected: [[Int]]

    var scored: [ScoredPair] {
      log_odds.indices.map { row in
        ScoredPair(
          logOdds: log_odds[row],
          facts: PairFacts(
            prompt: "\(row)", source: "golden", chosen: style(chosen[row]),
            rejected: style(rejected[row])))
      }
    }
    private func style(_ z: [Int]) -> ResponseStyle {
      ResponseStyle(tokens: z[0], lists: z[1], headers: z[2], bold: z[3])
    }
  }
  struct Phi: Decodable {
    let prediction, label: Double
    let pairs: Int
  }
  struct Table: Decodable {
    let counts: [Int]
    let phi: Double
  }
  struct Style: Decodable {
    let fit, test: Pairs
    let alpha, alpha_alone: Double
    let beta, scales, controlled: [Double]
    let phi: [String: Phi]
    let tables: [Table]
  }
  struct Markdown: Decodable {
    let text: String
    let lists, headers, bold: Int
  }
  struct Samples: Decodable {
    let samples: [String]
    let answer, majority: String
    let agreement, entropy, fsd: Double
  }
  struct Measure: Decodable {
    let ece, brier, mean: Double
  }
  struct Consistency: Decodable {
    let rows: [Samples]
    let accuracy: Double
    let measures: [String: Measure]
  }

  static func load() throws -> EvaluationGolden {
    try Golden.json("evaluation/evaluation", as: EvaluationGolden.self)
  }
}
