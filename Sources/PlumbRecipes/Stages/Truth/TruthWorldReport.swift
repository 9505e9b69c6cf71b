import Foundation
import PlumbEvaluation

extension TruthStudy {
  /// The bounds of the claims, in nats.
  static let sampledBound = 1e-2
  static let exactBound = 1e-4

  /// Figures, claims, table and charts of all trainings, in the order of `cells`.
  func report(_ courses: [TruthCourse]) -> StageResult {
    var result = StageResult()
    let trainings = zip(cells, courses)
    func found(_ method: TruthMethod, _ kind: Cell.Kind) -> [TruthCourse] {
      trainings.filter { $0.0.method == method && $0.0.kind == kind }.map(\.1)
    }
    let reference = world.reference
    let star = world.star(reference, beta: beta)
    result.figures.append(
      Figure(
        "reference/kl_star", meanDivergence(star, reference), unit: "nats",
        sampleSize: world.promptCount))
    if world.longest == 1 { result.figures.append(publishedGRPO(reference, star)) }
    var table = TextTable(
      title: "\(context.stage): how far from the optimum, nats",
      columns: [
        "method", "its optimum", "gradient", "trainings", "KL(opt ‖ π)", "KL(π ‖ opt)", "worst",
        "KL(π* ‖ π)",
      ], rows: [])
    for kind in [Cell.Kind.exact, .sampled, .model] {
      for method in TruthMethod.allCases {
        let courses = found(method, kind)
        guard !courses.isEmpty else { continue }
        let row = TruthRow(method: method, kind: kind, courses: courses)
        result.figures += row.figures
        result.claims += row.claims
        table.rows.append(row.cells)
      }
    }
    result.tables = [table]
    result.sections = [
      ReportSection(
        "\(context.stage): optimisers against the known optimum",
        [.paragraph(explanation), .table(table), .charts(charts(found)), .claims(result.claims)])
    ]
    return result
  }

  private var explanation: String {
    "\(world.promptCount) prompts with \(world.responses.count) possible responses each, of up to "
      + "\(world.longest) tokens; beta \(NumberText.short(beta)). Every probability is computed, so the "
      + "distances are exact and only trainings on samples vary. 'exact': the gradient is the "
      + "expectation over all responses of Plumb's own loss. 'sampled': a table over prefixes learns "
      + "from samples. 'model': a causal language model learns from samples, PPO by the trainer of "
      + "the ppo stage; its reference is the model itself before training."
  }

  private func charts(
    _ found: (TruthMethod, Cell.Kind) -> [TruthCourse]
  ) -> [Chart] {
    let titles: [(Cell.Kind, String)] = [
      (.exact, "Exact gradients"), (.sampled, "Samples, a table"),
      (.model, "Samples, a language model"),
    ]
    return titles.compactMap { kind, title in
      let series = TruthMethod.allCases.compactMap { method -> Chart.Series? in
        guard let course = found(method, kind).first else { return nil }
        return Chart.Series(
          method.rawValue,
          course.points.map { Chart.Point(Double($0.step), max($0.toPolicy, 1e-9)) })
      }
      guard let steps = series.flatMap(\.points).map(\.x).max() else { return nil }
      let bound = kind == .exact ? Self.exactBound : Self.sampledBound
      return Chart(
        title, caption: "KL from each method's own optimum to the policy; first seed.",
        x: .init("step"), y: .init("KL (nats)", scale: .logarithmic),
        .lines(
          series + [
            Chart.Series("bound", [.init(0, bound), .init(steps, bound)], dashed: true)
          ]))
    }
  }

  /// Where GRPO with k3 as a loss ends in place of π*.
  private func publishedGRPO(_ reference: [[Double]], _ star: [[Double]]) -> Figure {
    let ends = zip(reference, world.rewards).map {
      KnownOptimum.reverseKL($0, rewards: $1, beta: beta)
    }
    return Figure(
      "grpo_k3_loss/kl_star_to_its_optimum", meanDivergence(star, ends), unit: "nats",
      sampleSize: world.promptCount)
  }
}

/// One line of the table: a method with one kind of gradient.
private struct TruthRow {
  let method: TruthMethod
  let kind: TruthStudy.Cell.Kind
  let last: [TruthCourse.Point]

  init(method: TruthMethod, kind: TruthStudy.Cell.Kind, courses: [TruthCourse]) {
    self.method = method
    self.kind = kind
    last = courses.compactMap(\.last)
  }

  /// The larger of the two divergences, of the worst training.
  private var worst: Double {
    last.map { max($0.toPolicy, $0.fromPolicy) }.max() ?? .nan
  }

  private func mean(_ path: KeyPath<TruthCourse.Point, Double>) -> Double {
    last.reduce(0) { $0 + $1[keyPath: path] } / Double(max(1, last.count))
  }

  /// Student's interval of a mean over trainings; none for a single one.
  private func interval(_ path: KeyPath<TruthCourse.Point, Double>) -> ClosedRange<Double>? {
    let values = last.map { $0[keyPath: path] }
    guard values.count > 1 else { return nil }
    let interval = Interval.studentMean(values)
    return max(0, interval.lower)...interval.upper
  }

  var figures: [Figure] {
    let name = "\(kind.rawValue)/\(method.rawValue)"
    func figure(_ suffix: String, _ path: KeyPath<TruthCourse.Point, Double>) -> Figure {
      Figure(
        "\(name)/\(suffix)", mean(path), interval: interval(path), unit: "nats",
        sampleSize: last.count)
    }
    var figures = [figure("kl_optimum_to_policy", \.toPolicy)]
    if last.allSatisfy({ $0.fromPolicy >= 0 }) {
      figures.append(figure("kl_policy_to_optimum", \.fromPolicy))
    }
    return figures + [figure("kl_star_to_policy", \.starToPolicy)]
  }

  var claims: [Claim] {
    let (bound, how) =
      switch kind {
      case .exact: (TruthStudy.exactBound, "with the exact gradient")
      case .sampled: (TruthStudy.sampledBound, "from samples")
      case .model: (TruthStudy.sampledBound, "from samples, as a language model,")
      }
    let goal = method.aimsAtStar ? "π*" : "its own optimum"
    var claims = [
      Claim(
        "\(method.rawValue) \(how) ends within \(NumberText.short(bound)) nats of \(goal)",
        measured: worst, .atMost, bound, paper: method.paper)
    ]
    if method == .ktoWins, kind == .exact {
      claims.append(
        Claim(
          "KTO on labels by wins does not end at π*", measured: mean(\.starToPolicy), .above,
          TruthStudy.sampledBound, paper: method.paper))
    }
    return claims
  }

  var cells: [String] {
    func text(_ path: KeyPath<TruthCourse.Point, Double>) -> String {
      let interval = interval(path).map {
        " [\(NumberText.short($0.lowerBound, digits: 4)), \(NumberText.short($0.upperBound, digits: 4))]"
      }
      return NumberText.short(mean(path), digits: 4) + (interval ?? "")
    }
    return [
      method.rawValue, method.optimumText, kind.rawValue, "\(last.count)", text(\.toPolicy),
      last.allSatisfy { $0.fromPolicy >= 0 } ? text(\.fromPolicy) : "∞",
      NumberText.short(worst, digits: 4), text(\.starToPolicy),
    ]
  }
}

extension TruthMethod {
  /// What the method's paper says about its optimum.
  fileprivate var paper: String {
    switch self {
    case .ppo, .reinforce, .rloo, .grpo, .grpoScaled:
      "the KL-regularised optimum is π_ref exp(r/β)/Z (arXiv 2305.18290, eq. 4)"
    case .dpo: "π_ref exp(r/β)/Z where labels follow Bradley-Terry (arXiv 2305.18290, eq. 4-7)"
    case .ipo: "π_ref exp(p(y ≻ μ)/τ)/Z (arXiv 2310.12036, eq. 17 and its proposition)"
    case .kto, .ktoWins:
      "KTO gives the majority's response all probability where preferences contradict each other "
        + "(arXiv 2402.01306, theorem 4.3)"
    case .gpo, .gpoZero: "π_t exp(s(y ≻ π_t)/β)/Z; log Z is taken as 0 (arXiv 2410.02197, eq. 5.3)"
    case .sppo: "π_t exp(p(y ≻ π_t)/β)/Z with a constant for log Z (arXiv 2405.00675, eq. 4.7)"
    }
  }
}
