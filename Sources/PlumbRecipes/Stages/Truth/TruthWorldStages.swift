import Foundation

/// Policy optimisers in a bandit whose optimum is known, held against it.
struct TruthBanditStage: Stage {
  let configuration: TruthBanditConfiguration

  var inputs: [String] { [] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    truthPlan(
      "\(configuration.prompts) bandits of \(configuration.arms) arms",
      responses: configuration.prompts * configuration.arms, methods: configuration.methods,
      exact: configuration.exact, sampled: configuration.sampled)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let world = EnumeratedWorld(
      prompts: configuration.prompts, letters: configuration.arms, longest: 1, ends: false,
      referenceSpread: configuration.referenceSpread, rewardSpread: configuration.rewardSpread,
      seed: context.seed)
    let study = TruthStudy(
      context: context, world: world, beta: configuration.beta, methods: configuration.methods,
      exact: configuration.exact, sampled: configuration.sampled, languageModel: nil)
    return try study.report(study.run())
  }
}

/// Policy optimisers in a world of short token sequences whose optimum is known: a table over prefixes, and
/// a causal language model.
struct TruthTokensStage: Stage {
  static let revision = 2

  let configuration: TruthTokensConfiguration

  var inputs: [String] { [] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    truthPlan(
      "sequences of up to \(configuration.longest) of \(configuration.letters + 1) tokens",
      responses: configuration.prompts
        * (0..<configuration.longest).reduce(1) { sum, _ in
          sum * configuration.letters + 1
        }, methods: configuration.methods, exact: configuration.exact,
      sampled: configuration.sampled)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let world = EnumeratedWorld(
      prompts: configuration.prompts, letters: configuration.letters,
      longest: configuration.longest, ends: true,
      referenceSpread: configuration.referenceSpread, rewardSpread: configuration.rewardSpread,
      seed: context.seed)
    let study = TruthStudy(
      context: context, world: world, beta: configuration.beta, methods: configuration.methods,
      exact: configuration.exact, sampled: configuration.sampled,
      languageModel: configuration.languageModel)
    return try study.report(study.run())
  }
}

private func truthPlan(
  _ what: String, responses: Int, methods: [TruthMethod], exact: TruthExactConfiguration,
  sampled: TruthSampledConfiguration
) -> StagePlan {
  let steps = methods.count * (exact.steps + sampled.steps * sampled.seeds)
  return StagePlan(
    "\(methods.count) methods on \(what)", sizes: ["responses": responses, "steps": steps],
    seconds: Double(steps) * 1e-3)
}

/// Every method, with the exact gradient and on samples, in one world.
struct TruthStudy {
  /// One training.
  struct Cell {
    let method: TruthMethod
    let kind: Kind
    /// From 1; 1 where nothing is random.
    let seed: Int

    enum Kind: String { case exact, sampled, model }

    var name: String {
      kind == .exact
        ? "exact-\(method.rawValue)" : "\(kind.rawValue)-\(method.rawValue)-seed\(seed)"
    }
  }

  let context: StageContext
  let world: EnumeratedWorld
  let beta: Double
  let methods: [TruthMethod]
  let exact: TruthExactConfiguration
  let sampled: TruthSampledConfiguration
  let languageModel: TruthLanguageModelConfiguration?

  var cells: [Cell] {
    func repeated(_ methods: [TruthMethod], _ kind: Cell.Kind, _ seeds: Int) -> [Cell] {
      methods.flatMap { method in
        (0..<seeds).map { Cell(method: method, kind: kind, seed: $0 + 1) }
      }
    }
    return repeated(methods, .exact, 1) + repeated(methods, .sampled, sampled.seeds)
      + repeated(languageModel?.methods ?? [], .model, languageModel?.sampled.seeds ?? 0)
  }

  func run() throws -> [TruthCourse] {
    let cells = cells
    // Random weights only: the same bytes in every continuation of the run.
    var fitted: LanguagePolicy?
    return try CellRunner<TruthCourse>(context) { course in
      ["kl": course.last?.toPolicy ?? 0, "loss": course.last?.toPolicy ?? 0]
    }.run(cells.map { GridCell($0.name, units: units($0)) }) { index, place in
      let cell = cells[index]
      let trainer = TruthTrainer(method: cell.method, beta: beta) { step, count in
        if step % 50 == 0 { try place.step(step, of: count, loss: nil) }
      }
      let seed = context.seed &+ UInt64(cell.seed - 1) &* 1_000_003
      switch cell.kind {
      case .exact: return try trainer.trained(TabularPolicy(world), exact: exact).course
      case .sampled:
        return try trainer.trained(TabularPolicy(world), sampled: sampled, seed: seed).course
      case .model:
        guard let languageModel else { preconditionFailure("TruthStudy: no language model") }
        let start =
          fitted ?? LanguagePolicy.fitted(world, languageModel, seed: context.seed)
        fitted = start
        return try cell.method == .ppo
          ? trainer.trainedByPPOTrainer(start, settings: languageModel.sampled, seed: seed).course
          : trainer.trained(start, sampled: languageModel.sampled, seed: seed).course
      }
    }
  }

  private func units(_ cell: Cell) -> Int {
    switch cell.kind {
    case .exact: exact.steps
    case .sampled: sampled.steps
    case .model: 10 * (languageModel?.sampled.steps ?? 1)
    }
  }
}
