import Foundation
import PlumbModels
import PlumbTensors
import PlumbTestSupport
import Testing

/// Decoding with a cache against the full forward pass.
@Suite struct DecodingStateTests {
  /// Logits after the last token, by the full forward pass.
  private func full(_ model: CausalLM, _ tokens: [Int32]) -> [Float] {
    model.logits(tokens: tokens, layout: PackedLayout(lengths: [tokens.count]))
      .rows(at: [tokens.count - 1]).scalars
  }

  private func row(_ logits: Tensor, _ row: Int) -> [Float] { logits.rows(at: [row]).scalars }

  @Test(arguments: ModelFamily.allCases)
  func rowsEqualFullForward(family: ModelFamily) throws {
    let model = Tiny.model(family, tied: false)
    var sequences = [5, 1, 9].map { Tiny.tokens($0) }
    var state = DecodingState(model)
    var logits = try state.append(prompts: sequences)
    for step in 0..<20 {
      #expect(!logits.requiresGradient)
      for (index, sequence) in sequences.enumerated() {
        expectClose(
          row(logits, index), full(model, sequence), absolute: 1e-4, relative: 0, "step \(step)")
      }
      let next = Tiny.tokens(3, seed: UInt64(100 + step))
      for index in sequences.indices { sequences[index].append(next[index]) }
      logits = state.step(tokens: next)
      #expect(state.lengths == sequences.map(\.count))
    }
  }

  @Test func copiesShareAPromptAndGoTheirOwnWays() throws {
    let model = Tiny.model(.qwen2)
    let prompts = [Tiny.tokens(6), Tiny.tokens(4)]
    var state = DecodingState(model)
    let first = try state.append(prompts: prompts, copies: [3, 1])
    #expect(first.shape == [4, 41])
    var sequences = [prompts[0], prompts[0], prompts[0], prompts[1]]
    for step in 0..<3 {
      let next = Tiny.tokens(4, seed: UInt64(step))
      for index in sequences.indices { sequences[index].append(next[index]) }
      let logits = state.step(tokens: next)
      for (index, sequence) in sequences.enumerated() {
        expectClose(row(logits, index), full(model, sequence), absolute: 1e-4, relative: 0)
      }
    }
  }

  @Test func rowsLeaveJoinAndFork() throws {
    let model = Tiny.model(.llama)
    var sequences = [Tiny.tokens(3), Tiny.tokens(5), Tiny.tokens(2)]
    var state = DecodingState(model)
    _ = try state.append(prompts: sequences)
    func step(_ seed: UInt64) {
      let next = Tiny.tokens(sequences.count, seed: seed)
      for index in sequences.indices { sequences[index].append(next[index]) }
      let logits = state.step(tokens: next)
      for (index, sequence) in sequences.enumerated() {
        expectClose(row(logits, index), full(model, sequence), absolute: 1e-4, relative: 0)
      }
    }
    step(1)
    state.keep(rows: [2, 0])
    sequences = [sequences[2], sequences[0]]
    step(2)
    let late = Tiny.tokens(7)
    _ = try state.append(prompts: [late])
    sequences.append(late)
    step(3)
    state.keep(rows: [0, 0, 2])
    sequences = [sequences[0], sequences[0], sequences[2]]
    let copy = state
    step(4)
    step(5)
    #expect(copy.lengths == [sequences[0].count - 2, sequences[1].count - 2, late.count + 1])
    state.keep(rows: [])
    #expect(state.rowCount == 0)
  }

  @Test func aCopyOfTheStateIsIndependent() throws {
    let model = Tiny.model(.qwen3)
    let prompt = Tiny.tokens(4)
    var one = DecodingState(model)
    _ = try one.append(prompts: [prompt])
    _ = one.step(tokens: [3])
    var other = one
    _ = one.step(tokens: [4])
    let found = other.step(tokens: [5])
    expectClose(found.scalars, full(model, prompt + [3, 5]), absolute: 1e-4, relative: 0)
  }

  /// llama2.c's stories260K, converted by Scripts/convert_llama2c.py, tells its story.
  @Test func stories260K() throws {
    struct Reference: Decodable {
      let greedy_from_bos_ids: [Int32]
      let prompt_ids: [Int32]
      let greedy_ids_after_first_token: [Int32]
    }
    let folder = Fixtures.url("models/stories260K")
    let reference = try JSONDecoder().decode(
      Reference.self, from: Data(contentsOf: folder.appending(path: "reference.json")))
    let model = try CausalLM(directory: folder)
    let story = reference.greedy_from_bos_ids
    #expect(try greedy(model, [1], count: story.count) == story)
    let prompt = reference.prompt_ids
    let rest = reference.greedy_ids_after_first_token.count - (prompt.count - 1)
    #expect(
      try Array(prompt.dropFirst()) + greedy(model, prompt, count: rest)
        == reference.greedy_ids_after_first_token)
  }

  @Test func inputThatTheModelCannotTake() throws {
    let model = Tiny.model(.qwen2)
    var state = DecodingState(model)
    #expect(throws: ModelError.emptySequence) { try state.append(prompts: [[1], []]) }
    #expect(throws: ModelError.tokenOutOfRange(token: 41, position: 1, vocabularySize: 41)) {
      try state.append(prompts: [[0, 41]])
    }
    #expect(throws: ModelError.contextExceeded(tokens: 33, maximum: 32)) {
      try state.append(prompts: [Tiny.tokens(33)])
    }
    #expect(state.rowCount == 0)
  }

  @Test func wrongNumberOfTokensTraps() async {
    await #expect(processExitsWith: .failure) {
      var state = DecodingState(Tiny.model(.qwen2))
      _ = try state.append(prompts: [[1, 2]])
      _ = state.step(tokens: [1, 2])
    }
  }

  @Test func outgrowingTheContextTraps() async {
    await #expect(processExitsWith: .failure) {
      var state = DecodingState(Tiny.model(.gpt2))
      _ = try state.append(prompts: [Tiny.tokens(32)])
      _ = state.step(tokens: [1])
    }
  }
}
