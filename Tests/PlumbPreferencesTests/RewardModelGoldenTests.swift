import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

/// `golden/worldpm`: rewards, Bradley-Terry loss and its gradients as PyTorch computes them.
@Suite struct RewardModelGoldenTests {
  let model: RewardModel
  let expected: SafetensorsFile
  /// The six sequences without their padding.
  let sequences: [[Int32]]

  init() throws {
    let folder = Fixtures.url("golden/worldpm")
    model = try RewardModel(directory: folder)
    expected = try SafetensorsFile(contentsOf: folder.appending(path: "expected.safetensors"))
    let ids = try expected.integers(named: "input_ids").map { Int32($0) }
    let lengths = try expected.integers(named: "lengths")
    let width = ids.count / lengths.count
    sequences = lengths.enumerated().map { row, length in
      Array(ids[row * width..<row * width + length])
    }
  }

  @Test func rewards() throws {
    #expect(model.head == .worldPM)
    #expect(model.endOfText == 0)
    let rewards = try model.scores(sequences: sequences)
    expectClose(rewards, try expected.floats(named: "rewards"), absolute: 2e-4, relative: 0)
  }

  /// What follows the first `<|endoftext|>`, here padding with the same id, changes nothing.
  @Test("Complaint 17, trl#937: a reward model reads no padding")
  func paddingIsNotRead() throws {
    let ids = try expected.integers(named: "input_ids").map { Int32($0) }
    let width = ids.count / sequences.count
    let padded = sequences.indices.map { Array(ids[$0 * width..<($0 + 1) * width]) }
    #expect(padded.contains { $0.filter { $0 == 0 }.count > 1 })
    #expect(try model.scores(sequences: padded) == model.scores(sequences: sequences))
    let bare = sequences.map { Array($0.dropLast()) }
    #expect(try model.scores(sequences: bare) == model.scores(sequences: sequences))
  }

  /// Reading at the token before the first pad id, as released code does once pad is end-of-text, gives
  /// other rewards: the trap is real in this case.
  @Test func poolingTrapWouldShow() throws {
    let expectedRewards = try expected.floats(named: "rewards")
    let trapped = sequences.map { sequence in
      model.outputs(
        tokens: sequence, layout: PackedLayout(lengths: [sequence.count]),
        rows: [sequence.count - 2]
      ).item
    }
    for (wrong, right) in zip(trapped, expectedRewards) { #expect(abs(wrong - right) > 1e-3) }
  }

  @Test func lossAndGradients() throws {
    // The first token stands for a prompt, so that the shared layout is used too.
    let bare = sequences.map { PreferenceGroup(prompt: [], responses: [$0]) }
    let rewards = model.rewards(try model.batch(bare))
    let difference =
      rewards.elements(at: [0, 2, 4]) - rewards.elements(at: [1, 3, 5])
    let loss = -difference.logSigmoid().mean()
    expectClose(loss.item, try expected.floats(named: "loss")[0], absolute: 2e-4, relative: 0)

    var gradients = GradientBlock(for: model.parameters)
    gradients.accumulate(loss)
    for entry in model.parameters.layout.entries {
      let id = try #require(model.parameters.layout.id(named: entry.name))
      let reference = try expected.floats(named: "grad.\(entry.name)")
      let scale = reference.map(abs).max() ?? 0
      expectClose(
        gradients[id].scalars, reference, absolute: 1e-3 * scale + 1e-7, relative: 0, entry.name)
    }
  }

  /// The prompt computed once for both responses gives the rewards of whole sequences.
  @Test func sharedPromptGivesTheSameRewards() throws {
    let prompt = Array(sequences[0].prefix(3))
    let responses = sequences.map { Array($0.dropFirst(3)) }
    let shared = try model.scores(groups: [PreferenceGroup(prompt: prompt, responses: responses)])
    let whole = try model.scores(sequences: responses.map { prompt + $0 })
    expectClose(shared[0], whole, absolute: 1e-5, relative: 0)
  }
}
