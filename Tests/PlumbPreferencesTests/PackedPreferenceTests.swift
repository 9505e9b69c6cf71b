import PlumbData
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

/// Batches that a data set packed are read like those the models pack themselves.
@Suite struct PackedPreferenceTests {
  private let packed = PackedBatch(
    Tiny.pairs.enumerated().map { index, pair in
      TokenGroup(prompt: pair.prompt, responses: pair.responses, example: 10 + index)
    })

  @Test(arguments: RewardModel.Head.allCases)
  func rewards(head: RewardModel.Head) throws {
    let model = try Tiny.rewardModel(head: head)
    let found = model.rewards(try model.batch(packed)).scalars
    let own = try model.scores(groups: Tiny.pairs).flatMap { $0 }
    expectClose(found, own, absolute: 1e-5, relative: 0)
    let (chosen, rejected) = model.pairRewards(try model.batch(packed))
    expectClose(chosen.scalars, [own[0], own[2], own[4]], absolute: 1e-5, relative: 0)
    expectClose(rejected.scalars, [own[1], own[3], own[5]], absolute: 1e-5, relative: 0)
  }

  @Test(arguments: [false, true])
  func preferenceScores(isGated: Bool) throws {
    let model = try Tiny.generalPreferenceModel(isGated: isGated)
    expectClose(
      model.scores(try model.batch(packed)).scalars,
      model.scores(try model.batch(Tiny.pairs)).scalars, absolute: 1e-5, relative: 1e-5)
  }

  /// One response is packed as one segment with its prompt; bare sequences have no prompt row.
  @Test func groupsOfOneAndBareSequences() throws {
    let mixed = PackedBatch([
      TokenGroup(prompt: [], responses: [[3, 4, 0]], example: 0),
      TokenGroup(prompt: [5, 6], responses: [[7, 0, 9]], example: 1),
      TokenGroup(prompt: [], responses: [[8, 0], [0]], example: 2),
    ])
    let model = try Tiny.rewardModel()
    let batch = try model.batch(mixed)
    #expect(batch.readRows == [2, 6, 9, 10])
    #expect(batch.promptRows == [nil, 4, nil])
    let groups = [
      PreferenceGroup(prompt: [], responses: [[3, 4, 0]]),
      PreferenceGroup(prompt: [5, 6], responses: [[7, 0]]),
      PreferenceGroup(prompt: [], responses: [[8, 0], [0]]),
    ]
    expectClose(
      model.rewards(batch).scalars, try model.scores(groups: groups).flatMap { $0 },
      absolute: 1e-5, relative: 0)
    let gated = try Tiny.generalPreferenceModel(isGated: true)
    #expect(throws: PreferenceError.promptNeeded(row: 0)) { try gated.batch(mixed) }
  }

  @Test func missingEndOfTextIsNamed() throws {
    let cut = PackedBatch([
      TokenGroup(prompt: [1], responses: [[2, 0], [3, 0]], example: 4),
      TokenGroup(prompt: [0], responses: [[2, 0], [3, 4]], example: 7),
    ])
    let model = try Tiny.rewardModel()
    #expect(throws: PreferenceError.endOfTextMissing(row: 7)) { try model.batch(cut) }
    #expect(throws: Never.self) { try Tiny.rewardModel(head: .linear).batch(cut) }
  }
}
