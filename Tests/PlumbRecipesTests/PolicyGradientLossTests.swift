import PlumbObjectives
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// The losses of GRPO and its kin, GSPO and RLOO against TRL's own code, and their gradients.
@Suite struct PolicyGradientLossTests {
  private struct File: Decodable {
    let lengths: [Int]
    let old: [Float]
    let new: [Float]
    let ref: [Float]
    let rewards: [Float]
    let numbers: [String: [Float]]
    let losses: [String: Float]
    let metrics: [String: [String: Double]]

    private struct Key: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }
      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
      let fields = try decoder.container(keyedBy: Key.self)
      func floats(_ name: String) throws -> [Float] {
        try fields.decode([Float].self, forKey: Key(stringValue: name))
      }
      lengths = try fields.decode([Int].self, forKey: Key(stringValue: "lengths"))
      (old, new, ref, rewards) = (
        try floats("old"), try floats("new"), try floats("ref"), try floats("rewards")
      )
      let names = fields.allKeys.map(\.stringValue)
      numbers = try Dictionary(
        uniqueKeysWithValues: names.filter { $0.hasPrefix("adv.") || $0.hasPrefix("grad.") }
          .map { ($0, try floats($0)) })
      losses = try Dictionary(
        uniqueKeysWithValues: names.filter { $0.hasPrefix("loss.") }.map {
          ($0, try fields.decode(Float.self, forKey: Key(stringValue: $0)))
        })
      metrics = try Dictionary(
        uniqueKeysWithValues: names.filter { $0.hasPrefix("metrics.") }.map {
          ($0, try fields.decode([String: Double].self, forKey: Key(stringValue: $0)))
        })
    }
  }

  private let golden: File

  init() throws { golden = try Golden.json("policy_gradient", as: File.self) }

  private func expectGolden<Method: PolicyGradientMethod>(
    _ name: String, advantages: String, _: Method.Type,
    _ change: (inout PolicyGradientConfiguration<Method>) -> Void
  ) throws {
    var configuration = PolicyGradientConfiguration<Method>()
    configuration.sampling.maxNewTokens = 8
    change(&configuration)
    let variable = Tensor.variable(golden.new, shape: [golden.new.count])
    var mean = MinibatchMean()
    let loss = PolicyGradientLoss(
      configuration, tokens: golden.new.count, responses: golden.lengths.count
    ).loss(
      logprobs: variable, lengths: golden.lengths, old: golden.old, reference: golden.ref,
      advantages: try #require(golden.numbers["adv.\(advantages)"]), into: &mean)
    expectClose(
      loss.item, try #require(golden.losses["loss.\(name)"]), absolute: 1e-6, relative: 1e-5, name)
    expectClose(
      try #require(Gradients(of: loss)[variable]).scalars,
      try #require(golden.numbers["grad.\(name)"]), absolute: 2e-7, relative: 1e-4, name)
    let metrics = try #require(golden.metrics["metrics.\(name)"])
    let pairs = [
      ("policy/clipfrac_avg", "clip_ratio/region_mean"),
      ("policy/clipfrac_low_avg", "clip_ratio/low_mean"),
      ("policy/clipfrac_high_avg", "clip_ratio/high_mean"),
    ]
    for (own, theirs) in pairs {
      expectClose(
        try #require(mean.means[own]), try #require(metrics[theirs]), absolute: 1e-6, theirs)
    }
  }

  /// TRL's `loss_type` grpo, bnpo (dapo on one process) and dr_grpo.
  @Test func groupRelativeLossesAreTRLs() throws {
    for (name, reduction) in [
      ("token_sequence", LossReduction.sequence), ("token_token", .token),
      ("token_constant", .constant),
    ] {
      try expectGolden(name, advantages: "group", GRPO.self) { $0.lossReduction = reduction }
    }
    // GSPO: TRL's importance_sampling_level sequence.
    try expectGolden("gspo", advantages: "group", GRPO.self) { $0.ratioLevel = .sequenceMean }
  }

  @Test func leaveOneOutLossIsTRLs() throws {
    try expectGolden("rloo", advantages: "loo", RLOO.self) { _ in }
  }

  @Test func advantagesAreTRLs() throws {
    let rewards = [Array(golden.rewards[..<3]), Array(golden.rewards[3...])]
    let cases: [(String, AdvantageBaseline, AdvantageScale)] = [
      ("group", .group, .group), ("none", .group, .none), ("batch", .group, .batch),
      ("loo", .leaveOneOut, .none),
    ]
    for (name, baseline, scale) in cases {
      let found = responseAdvantages(rewards, baseline: baseline, scale: scale)
      expectClose(
        found.flatMap { $0 }, try #require(golden.numbers["adv.\(name)"]), absolute: 1e-6, name)
    }
    let normalized = whitened(
      responseAdvantages(rewards, baseline: .leaveOneOut, scale: .none), keepingMean: false)
    // TRL adds 1e-4 to the deviation; whitening adds 1e-8 to the variance.
    expectClose(
      normalized.flatMap { $0 }, try #require(golden.numbers["adv.loo_normalized"]),
      absolute: 3e-4)
  }

  /// At the policy that sampled, the ratio's gradient is the plain one, whatever the level.
  @Test func reinforceIsTheRatiosGradientAtOne() throws {
    func gradient(clip: Double, level: RatioLevel, _ reduction: LossReduction) throws -> [Float] {
      var configuration = PolicyGradientConfiguration<REINFORCE>()
      configuration.clip = clip
      configuration.ratioLevel = level
      configuration.lossReduction = reduction
      let variable = Tensor.variable(golden.old, shape: [golden.old.count])
      var mean = MinibatchMean()
      let loss = PolicyGradientLoss(configuration, tokens: golden.old.count, responses: 6).loss(
        logprobs: variable, lengths: golden.lengths, old: golden.old, reference: golden.ref,
        advantages: [1, -2, 0.5, 3, -1, 0.25], into: &mean)
      return try #require(Gradients(of: loss)[variable]).scalars
    }
    for (level, reduction) in [
      (RatioLevel.token, LossReduction.token), (.token, .sequence), (.token, .constant),
      (.sequence, .sequence), (.sequenceMean, .sequence),
    ] {
      expectClose(
        try gradient(clip: 0.2, level: level, reduction),
        try gradient(clip: 0, level: level, reduction), absolute: 1e-6, "\(level), \(reduction)")
    }
    // By hand: of the first response, 3 tokens with advantage 1, among 6 responses of 20 tokens.
    let firsts = [
      try gradient(clip: 0, level: .sequence, .sequence)[0],
      try gradient(clip: 0, level: .token, .sequence)[0],
      try gradient(clip: 0, level: .token, .token)[0],
    ]
    expectClose(firsts, [-1.0 / 6, -1.0 / 18, -1.0 / 20])
  }

  @Test(arguments: [RatioLevel.token, .sequence, .sequenceMean])
  func gradientsMatchFiniteDifferences(_ level: RatioLevel) {
    var configuration = PolicyGradientConfiguration<GRPO>()
    configuration.ratioLevel = level
    configuration.klCoefficient = 0.7
    configuration.entropyCoefficient = 0.3
    // Ratios stay away from the kinks at 0.8 and 1.2.
    let old: [Float] = [-1.02, -1.97, -0.5, -0.9, -0.45]
    checkGradients(of: [Tensor([-1, -2, -0.52, -0.88, -0.4]), Tensor([1, 0.4, 2, 1.3, 0.7])]) {
      var mean = MinibatchMean()
      return PolicyGradientLoss(configuration, tokens: 5, responses: 2).loss(
        logprobs: $0[0], entropies: $0[1], lengths: [2, 3], old: old,
        reference: [-1.5, -1.8, -0.2, -1, -0.6], advantages: [1, -2], into: &mean)
    }
  }
}
