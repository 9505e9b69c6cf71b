import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct RewardModelTests {
  @Test(
    "Complaint 18, reward-bench#137: a score does not depend on the batch",
    arguments: RewardModel.Head.allCases)
  func scoreDoesNotDependOnTheBatch(head: RewardModel.Head) throws {
    let model = try Tiny.rewardModel(head: head)
    let together = try model.scores(groups: Tiny.pairs)
    let alone = try Tiny.pairs.map { try model.scores(groups: [$0])[0] }
    let small = try model.scores(groups: Tiny.pairs, tokenBudget: 1)
    for (index, scores) in together.enumerated() {
      expectClose(scores, alone[index], absolute: 1e-5, relative: 0)
      #expect(small[index] == alone[index])
    }
    // Not six: where every ReLU is closed, the reward is the bias.
    #expect(Set(together.flatMap { $0 }).count >= 4)
  }

  @Test func readsAtTheFirstEndOfTextAfterThePrompt() throws {
    let model = try Tiny.rewardModel()
    // The prompt itself holds the id; the reward is still read after the response.
    let group = PreferenceGroup(
      prompt: [3, 0, 4], responses: [[5, 6, 0], [5, 6], [5, 6, 0, 7, 0]])
    let scores = try model.scores(groups: [group])[0]
    expectClose(scores, [Float](repeating: scores[0], count: 3), absolute: 1e-6, relative: 0)
    let bare = try model.scores(sequences: [[3, 0, 4, 5, 6, 0], [3, 0]])
    expectClose(bare[0], bare[1], absolute: 1e-6, relative: 0)
    #expect(abs(bare[0] - scores[0]) > 1e-3)
  }

  @Test func linearHeadReadsTheLastToken() throws {
    let model = try Tiny.rewardModel(head: .linear)
    let scores = try model.scores(sequences: [[3, 4, 0], [3, 4, 0, 0], [3, 4]])
    #expect(abs(scores[0] - scores[1]) > 1e-4)
    #expect(abs(scores[0] - scores[2]) > 1e-4)
  }

  @Test func emptyResponseIsReadAtItsEndOfText() throws {
    let model = try Tiny.rewardModel()
    let scores = try model.scores(
      groups: [PreferenceGroup(prompt: [3, 4], responses: [[], [0], [5, 0]])])[0]
    expectClose(scores[0], scores[1], absolute: 1e-6, relative: 0)
    #expect(abs(scores[0] - scores[2]) > 1e-4)
    let linear = try Tiny.rewardModel(head: .linear)
    let read = try linear.scores(groups: [PreferenceGroup(prompt: [3, 4], responses: [[]])])[0]
    expectClose(read, try linear.scores(sequences: [[3, 4]]), absolute: 1e-6, relative: 0)
  }

  @Test func badRowsAreNamed() throws {
    let model = try Tiny.rewardModel(head: .linear)
    let fine = PreferenceGroup(prompt: [1], responses: [[2]])
    func failure(_ group: PreferenceGroup) -> PreferenceError? {
      do {
        _ = try model.scores(groups: [fine, group], tokenBudget: 1)
        return nil
      } catch {
        return error
      }
    }
    #expect(
      failure(PreferenceGroup(prompt: [], responses: [[]])) == .emptySequence(row: 1))
    #expect(
      failure(PreferenceGroup(prompt: [1], responses: [[2, 23]]))
        == .tokenOutOfRange(row: 1, position: 2, token: 23, vocabularySize: 23))
    #expect(
      failure(PreferenceGroup(prompt: [-1], responses: [[2]]))
        == .tokenOutOfRange(row: 1, position: 0, token: -1, vocabularySize: 23))
    let long = [Int32](repeating: 1, count: 20)
    #expect(
      failure(PreferenceGroup(prompt: long, responses: [[1, 2, 3, 4, 5]]))
        == .sequenceTooLong(row: 1, tokens: 25, limit: 24))
    #expect(failure(PreferenceGroup(prompt: long, responses: [[1, 2, 3, 4]])) == nil)
  }

  @Test func notANumberIsNamed() throws {
    var model = try Tiny.rewardModel(head: .linear)
    let id = try #require(model.parameters.layout.id(named: "score.weight"))
    model.parameters.assign([Float](repeating: .nan, count: 8), to: id)
    #expect(throws: PreferenceError.notFinite(row: 0, what: "score", value: "nan")) {
      try model.scores(sequences: [[1, 2, 3]])
    }
  }

  @Test("Complaint 23, OpenRLHF#693: reference samples get mean 0 and variance 1")
  func normalisationBringsReferenceSamplesToMeanZeroAndVarianceOne() throws {
    var model = try Tiny.rewardModel()
    let raw = try model.scores(groups: Tiny.pairs)
    try model.normalise(on: Tiny.pairs)
    let scores = try model.scores(groups: Tiny.pairs).flatMap { $0 }.map(Double.init)
    let mean = scores.reduce(0, +) / 6
    let variance = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 6
    expectClose([mean, variance], [0, 1], absolute: 1e-5, relative: 0)
    #expect(try model.rawScores(groups: Tiny.pairs) == raw)
    #expect(throws: PreferenceError.self) { try RewardNormalisation(fitting: [1, 1, 1]) }
    #expect(throws: PreferenceError.self) { try RewardNormalisation(fitting: [1]) }
    #expect(throws: PreferenceError.self) { try RewardNormalisation(fitting: [1, .infinity]) }
  }

  @Test func copiesTheTrunkOfALanguageModel() throws {
    let policy = CausalLM(Tiny.configuration(), seed: 11)
    let model = try RewardModel(from: policy, head: .worldPM, seed: 1)
    for entry in model.parameters.layout.entries where entry.name.hasPrefix("model.") {
      let own = try #require(model.parameters.layout.id(named: entry.name))
      let other = try #require(policy.parameters.layout.id(named: entry.name))
      #expect(model.parameters.values(of: own) == policy.parameters.values(of: other))
    }
    let again = try RewardModel(from: policy, head: .worldPM, seed: 2)
    let group = Tiny.pairs[0]
    #expect(try model.scores(groups: [group]) != again.scores(groups: [group]))
  }

  @Test(arguments: RewardModel.Head.allCases, ModelFamily.allCases)
  func roundTrip(head: RewardModel.Head, family: ModelFamily) throws {
    var model = try Tiny.rewardModel(head: head, family: family)
    model.normalisation = RewardNormalisation(gain: 1.25, bias: -0.1)
    try withTemporaryDirectory { folder in
      try model.write(to: folder)
      guard case .reward(let read) = try loadPreferenceModel(directory: folder) else {
        Issue.record("expected a reward model")
        return
      }
      #expect(read.head == head)
      #expect(read.endOfText == model.endOfText)
      #expect(read.normalisation == model.normalisation)
      #expect(try read.scores(groups: Tiny.pairs) == model.scores(groups: Tiny.pairs))
    }
  }

  @Test func otherArchitecturesAreRefused() throws {
    try withTemporaryDirectory { folder in
      try CausalLM(Tiny.configuration(), seed: 1).write(to: folder)
      #expect {
        try loadPreferenceModel(directory: folder)
      } throws: { error in
        "\(error)".contains("architecture 'Qwen2ForCausalLM' is not a preference model")
      }
    }
  }

  @Test func unpairedBatchTraps() async {
    await #expect(processExitsWith: .failure) {
      let model = try Tiny.rewardModel()
      _ = model.pairRewards(
        try model.batch([PreferenceGroup(prompt: [1], responses: [[2], [3], [4]])]))
    }
  }
}
