import Foundation
import PlumbData
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct JudgeTests {
  let tokenizer: Tokenizer
  let encoder: ConversationEncoder

  init() throws {
    tokenizer = try Tokenizer(contentsOf: Fixtures.url("golden/tokenizers/qwen2_style.json"))
    encoder = try ConversationEncoder(tokenizer: tokenizer, template: .chatML)
  }

  private var configuration: DecoderConfiguration {
    var configuration = Tiny.configuration()
    configuration.vocabularySize = tokenizer.vocabularySize
    configuration.maximumPositions = 128
    configuration.eosTokenIDs = [encoder.endOfText]
    return configuration
  }

  private func rewardJudge() throws -> RewardModelJudge {
    var model = try RewardModel(configuration: configuration, head: .worldPM, seed: 1)
    model.parameters = Tiny.spread(model.parameters)
    return try RewardModelJudge(model: model, encoder: encoder, policy: encoder)
  }

  private func generalJudge(isGated: Bool = false) throws -> GeneralPreferenceJudge {
    var model = try GeneralPreferenceModel(
      configuration: configuration, options: .init(dimension: 4, isGated: isGated), seed: 1)
    model.parameters = Tiny.spread(model.parameters)
    return try GeneralPreferenceJudge(model: model, encoder: encoder, policy: encoder)
  }

  private func pairJudge() throws -> PairPreferenceJudge {
    var model = try PairPreferenceModel(
      configuration: configuration, opening: PairPreferenceModel.opening(encoder), seed: 1)
    model.parameters = Tiny.spread(model.parameters)
    return try PairPreferenceJudge(model: model, encoder: encoder, policy: encoder)
  }

  /// The policy ends a judged response at the end of the text; a model that was trained to read behind the
  /// turn must not be asked there.
  @Test func aModelReadsBehindTheEndThatItWasTrainedWith() throws {
    var own = encoder
    own.scoredEnding = .turn
    var reward = try RewardModel(configuration: configuration, head: .linear, seed: 2)
    reward.parameters = Tiny.spread(reward.parameters)
    var general = try GeneralPreferenceModel(
      configuration: configuration, options: .init(dimension: 4, readsLastToken: true), seed: 2)
    general.parameters = Tiny.spread(general.parameters)
    let asked = groups.map { group in
      JudgeGroup(prompt: group.prompt, responses: group.responses, encoder: own)
    }
    let judges: [(any Judge, any Judge)] = [
      (
        try RewardModelJudge(model: reward, encoder: own, policy: encoder),
        try RewardModelJudge(model: reward, encoder: own, policy: own)
      ),
      (
        try GeneralPreferenceJudge(model: general, encoder: own, policy: encoder),
        try GeneralPreferenceJudge(model: general, encoder: own, policy: own)
      ),
    ]
    for (fromPolicy, fromItself) in judges {
      let (found, expected) = (
        try fromPolicy.judge(groups: groups), try fromItself.judge(groups: asked)
      )
      #expect(found == expected)
      // Without the exchange it would have read elsewhere.
      #expect(try fromItself.judge(groups: groups) != expected)
    }
  }

  private var groups: [JudgeGroup] {
    [
      ("Why is the sky blue?", ["Scattering.", "", "Because", "Scattering."]),
      ("Name a licence.", ["Apache", "GPL, of course", "MPL"]),
    ].map { question, answers in
      JudgeGroup(
        prompt: [Message(role: "user", content: question)], responses: answers, encoder: encoder)
    }
  }

  private func judges() throws -> [any Judge] {
    [
      try rewardJudge(), try generalJudge(), try generalJudge(isGated: true), try pairJudge(),
      FunctionJudge(name: "length") { _, response in Double(response.count) },
      FunctionJudge(name: "longer") { _, a, b in a.count > b.count ? 2 : -1 },
    ]
  }

  @Test("Complaint 18, reward-bench#137: many groups are judged as one by one")
  func manyGroupsAreJudgedAsOneByOne() throws {
    for judge in try judges() {
      let together = try judge.judge(groups: groups)
      for (group, judgement) in zip(groups, together) {
        let alone = try judge.judge(group)
        expectClose(
          judgement.preferenceLogits.flatMap { $0 }, alone.preferenceLogits.flatMap { $0 },
          absolute: 1e-4, relative: 1e-4, judge.name)
        #expect(judgement.source == judge.name)
      }
    }
  }

  @Test func tablesAreAntisymmetricAndEqualResponsesTie() throws {
    for judge in try judges() {
      let table = try judge.judge(groups[0]).preferenceLogits
      for i in 0..<4 {
        for j in 0..<4 { #expect(table[i][j] == -table[j][i]) }
        #expect(table[i][i] == 0)
      }
      #expect(table[0][3] == 0, "\(judge.name)")
      #expect(table[0][1] == table[3][1], "\(judge.name)")
      #expect(table[0][2] != 0, "\(judge.name)")
    }
  }

  @Test func rewardsGiveDifferencesWhateverTheNormalisation() throws {
    let judge = try rewardJudge()
    let plain = try judge.judge(groups[1])
    let scores = try #require(plain.scores)
    expectClose(plain.preferenceLogits[0][1], scores[0] - scores[1], absolute: 1e-9)
    var model = judge.model
    model.normalisation = RewardNormalisation(gain: 3, bias: 1)
    let normalised = try RewardModelJudge(model: model, encoder: encoder, policy: encoder)
      .judge(groups[1])
    #expect(normalised.preferenceLogits == plain.preferenceLogits)
    expectClose(
      try #require(normalised.scores), scores.map { 3 * $0 + 1 }, absolute: 1e-5, relative: 1e-5)
  }

  @Test func probabilitiesAndMeans() {
    let judgement = Judgement(
      preferenceLogits: [[9, 1, 2], [9, 9, 3], [9, 9, 9]], source: "table")
    #expect(judgement.preferenceLogits == [[0, 1, 2], [-1, 0, 3], [-2, -3, 0]])
    #expect(judgement.opponentMeans() == [1, 2 / 3, -5 / 3])
    #expect(judgement.opponentMeans(includingSelf: false) == [1.5, 1, -2.5])
    expectClose(judgement.probabilities[0], [0.5, 0.7310586, 0.8807971], absolute: 1e-6)
    #expect(
      Judgement(scores: [1000, -1000], source: "rule").probabilities == [[0.5, 1], [0, 0.5]])
  }

  @Test func pairwiseRuleIsAskedInBothOrders() throws {
    // Always prefers what it sees first, by one; no real preference.
    let judge = FunctionJudge(name: "first") { _, _, _ in 1 }
    #expect(try judge.judge(groups[1]).preferenceLogits.allSatisfy { $0.allSatisfy { $0 == 0 } })
  }

  @Test func ruleWithNaNIsNamed() {
    let judge = FunctionJudge(name: "rule") { _, response in
      response == "MPL" ? Double.nan : 1
    }
    #expect(
      throws: PreferenceError.notFinite(row: 1, what: "score of judge 'rule'", value: "nan")
    ) { try judge.judge(groups: groups) }
  }

  @Test func sampledIdsAreCutAndEnded() throws {
    let prompt = [Message(role: "user", content: "Hi")]
    let promptTokens = encoder.prompt(prompt).map { Int32($0) }
    let whole = encoder.response("Hello world").map { Int32($0) }
    let endOfText = Int32(encoder.endOfText)
    let group = JudgeGroup(
      prompt: prompt, promptTokens: promptTokens,
      sampled: [
        whole, Array(whole.dropLast()), whole + [5, 6], whole.dropLast() + [endOfText], [],
      ],
      encoder: encoder)
    let reference = JudgeGroup(prompt: prompt, responses: ["Hello world", ""], encoder: encoder)
    #expect(group.tokens.prompt == reference.tokens.prompt)
    for index in 0..<4 {
      #expect(group.tokens.responses[index] == reference.tokens.responses[0])
      #expect(group.responses[index] == "Hello world")
    }
    #expect(group.tokens.responses[4] == reference.tokens.responses[1])
  }

  @Test("Complaint 9, trl#1702: a judge with another tokenizer or template is refused")
  func anotherTokenizerOrTemplateIsRefused() throws {
    let judge = try rewardJudge()
    let plain = try ConversationEncoder(tokenizer: tokenizer, template: .plain)
    #expect(throws: TokenizerError.self) {
      try RewardModelJudge(model: judge.model, encoder: encoder, policy: plain)
    }
    let other = try ConversationEncoder(
      tokenizer: Tokenizer(contentsOf: Fixtures.url("golden/tokenizers/gpt2_style.json")),
      template: .chatML)
    #expect(throws: TokenizerError.self) {
      try GeneralPreferenceJudge(model: generalJudge().model, encoder: other, policy: encoder)
    }
    var configuration = configuration
    configuration.eosTokenIDs = [encoder.endOfText + 1]
    let shifted = try RewardModel(configuration: configuration, head: .worldPM, seed: 1)
    #expect(throws: PreferenceError.self) {
      try RewardModelJudge(model: shifted, encoder: encoder, policy: encoder)
    }
  }

  @Test func evaluationOfPairs() throws {
    let pairs = [("a", "b"), ("cc", "d"), ("e", "e")].enumerated().map { index, texts in
      PreferencePair(
        id: "\(index)", source: "test", prompt: [Message(role: "user", content: "Q\(index)")],
        chosen: texts.0, rejected: texts.1)
    }
    let (groups, indices) = PreferenceGroup.encode(pairs, encoder: encoder, maximumTokens: 100)
    #expect(indices == [0, 1, 2])
    let model = try rewardJudge().model
    let evaluation = try PreferenceEvaluation(model: .reward(model), pairs: groups)
    let scores = try model.scores(groups: groups)
    expectClose(
      evaluation.logOdds, scores.map { Double($0[0]) - Double($0[1]) }, absolute: 1e-6)
    #expect(evaluation.metrics.pairs == 3)
    #expect(PreferenceGroup.encode(pairs, encoder: encoder, maximumTokens: 3).groups.isEmpty)
    #expect(throws: PreferenceError.noPairs) {
      try PreferenceEvaluation(model: .reward(model), pairs: [])
    }
  }
}
