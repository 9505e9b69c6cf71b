import PlumbData
import PlumbModels
import PlumbPreferences
import PlumbTensors
import Testing

/// What users of other toolkits complain about in reward models.
///
/// Every complaint with its test: `Documentation/Complaints.md`.
@Suite struct ComplaintTests {
  /// Complaint 17, huggingface/trl#937, #422, RLHFlow#49, allenai/reward-bench#115: a reward model whose
  /// padding is its end of text scores everything alike, and one without padding fails.
  ///
  /// Nothing is padded here, so that whatever a configuration calls padding changes no bit.
  @Test(
    "Complaint 17, trl#937: what padding is called changes no score",
    arguments: RewardModel.Head.allCases)
  func whatPaddingIsCalledChangesNoScore(_ head: RewardModel.Head) throws {
    func scores(_ padding: Int?) throws -> [[Float]] {
      var configuration = Tiny.configuration()
      configuration.padTokenID = padding
      var model = try RewardModel(configuration: configuration, head: head, seed: 3)
      model.parameters = Tiny.spread(model.parameters)
      return try model.scores(groups: Tiny.pairs)
    }
    let none = try scores(nil)
    let (end, other) = (try scores(Tiny.endOfText), try scores(5))
    #expect(end == none && other == none)
    // Two may meet where the ReLU of WorldPM's head is 0.
    let distinct = Set(none.joined()).count
    #expect(distinct >= 5, "\(none)")
  }

  /// Complaint 27, huggingface/trl PR #4887, #1357, #1014, #1648, #118: the head was drawn before the seed
  /// was set, or by a seed that something else had moved.
  ///
  /// A head is a function of the seed it is made with, whatever was drawn before.
  @Test(
    "Complaint 27, trl PR #4887: a head depends on its seed alone",
    arguments: RewardModel.Head.allCases)
  func aHeadDependsOnItsSeedAlone(_ head: RewardModel.Head) throws {
    let policy = CausalLM(Tiny.configuration(), seed: 11)
    func values(_ seed: UInt64) throws -> [[Float]] {
      let model = try RewardModel(from: policy, head: head, seed: seed)
      return model.parameters.layout.entries.compactMap { entry in
        guard entry.name.hasPrefix("score"), let id = model.parameters.layout.id(named: entry.name)
        else { return nil }
        return model.parameters.values(of: id)
      }
    }
    let first = try values(1)
    // Other models and other draws in between.
    var stream = RandomStream(seed: 1, purpose: "something else")
    _ = (0..<100).map { _ in stream.normal() }
    let other = try values(2)
    let again = try values(1)
    #expect(first == again && first != other)
    let isDrawn = first.joined().contains { $0 != 0 }
    #expect(isDrawn)
  }
}
