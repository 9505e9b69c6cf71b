public import PlumbModels
import PlumbTensors

/// Samples responses from a language model, many rows at once, with a key-value cache.
///
/// Each prompt is computed once and shared by its responses. A row that ends leaves the batch, and a
/// waiting one takes its place at once. Making an engine packs the weights, which takes their memory
/// once more while it lives (`PackedDecoder`). What is drawn depends on (seed, step, row, position) alone, never on which rows are computed together.
public struct SamplingEngine: Sendable {
  /// A sampled response.
  public struct Response: Hashable, Sendable {
    /// Sampled ids, the stop token included, [T].
    public var tokens: [Int32] = []
    /// Log-prob of each token under the logits divided by the temperature, before any filter, [T].
    public var logprobs: [Float] = []
    /// Why the response ended.
    public var finishReason = FinishReason.length
  }

  /// What has been done so far; handed to the caller after every step.
  public struct Progress: Hashable, Sendable {
    /// Responses that have ended.
    public var finished: Int
    /// Responses in all.
    public var total: Int
    /// Tokens sampled so far.
    public var tokens: Int
  }

  /// The policy.
  public let model: CausalLM
  /// Ids that end a response.
  public let stopTokens: Set<Int>
  /// How tokens are drawn.
  public let options: SamplingOptions
  /// Rows decoded at once; bounds the memory of the cache.
  public let maximumRows: Int
  private let decoder: PackedDecoder

  /// Makes an engine.
  /// - Parameters:
  ///   - model: the policy; its weights are only read.
  ///   - stopTokens: ids that end a response.
  ///   - options: how tokens are drawn.
  ///   - maximumRows: rows decoded at once, at least 1.
  /// - Throws: `RolloutError` if an option is out of its range.
  public init(
    model: CausalLM, stopTokens: Set<Int>, options: SamplingOptions, maximumRows: Int = 64
  ) throws(RolloutError) {
    try options.validate()
    guard maximumRows >= 1 else {
      throw .invalidOption(name: "rows", expected: "1 or more", found: "\(maximumRows)")
    }
    var model = model
    model.parameters = model.parameters.frozen
    self.model = model
    self.stopTokens = stopTokens
    self.options = options
    self.maximumRows = maximumRows
    decoder = model.decoder.packed(model.parameters)
  }

  /// Samples `count` responses to each prompt.
  ///
  /// - Parameters:
  ///   - prompts: ids of each prompt.
  ///   - count: responses per prompt, K.
  ///   - step: round of sampling; part of the key of the random numbers.
  ///   - firstRow: number of the first prompt in the key, so that parts of a round can be sampled apart.
  ///   - progress: called after every token of the batch; what it throws ends the sampling.
  /// - Returns: K responses for each prompt, in order.
  /// - Throws: `RolloutError` naming a prompt that is empty, leaves no room, or holds an unknown id; or
  ///   the row whose logits are not finite.
  public func sample(
    prompts: [[Int32]], count: Int = 1, step: Int = 0, firstRow: Int = 0,
    progress: ((Progress) throws -> Void)? = nil
  ) throws -> [[Response]] {
    precondition(count >= 1, "SamplingEngine: expected 1 or more responses, found \(count)")
    for (row, prompt) in prompts.enumerated() { try check(prompt, row: row) }
    let rows = (0..<prompts.count * count).map { row in
      let prompt = prompts[row / count]
      return DecodingBatch.Row(
        place: ResponsePlace(group: row / count, response: row % count),
        sampler: TokenSampler(
          options: options, prompt: prompt, step: step, row: firstRow * count + row),
        room: room(after: prompt))
    }
    var batch = DecodingBatch(
      decoder: decoder, prompts: prompts, rows: rows, options: options, stopTokens: stopTokens,
      maximumRows: maximumRows)
    var responses = [[Response]](
      repeating: [Response](repeating: Response(), count: count), count: prompts.count)
    var state = Progress(finished: 0, total: rows.count, tokens: 0)
    while !batch.isDone {
      try batch.advance { place, draw, reason in
        responses[place.group][place.response].tokens.append(draw.token)
        responses[place.group][place.response].logprobs.append(draw.logprob)
        state.tokens += 1
        if let reason {
          responses[place.group][place.response].finishReason = reason
          state.finished += 1
        }
      }
      try progress?(state)
    }
    return responses
  }

  /// Tokens that still fit behind a prompt, at most as many as asked for.
  private func room(after prompt: [Int32]) -> Int {
    min(options.maximumNewTokens, model.configuration.maximumPositions - prompt.count)
  }

  private func check(_ prompt: [Int32], row: Int) throws(RolloutError) {
    let configuration = model.configuration
    if prompt.isEmpty { throw .emptyPrompt(row: row) }
    if prompt.count >= configuration.maximumPositions {
      throw .promptTooLong(
        row: row, tokens: prompt.count, limit: configuration.maximumPositions)
    }
    for (position, id) in prompt.enumerated()
    where id < 0 || Int(id) >= configuration.vocabularySize {
      throw .tokenOutOfRange(
        row: row, position: position, token: Int(id),
        vocabularySize: configuration.vocabularySize)
    }
  }
}
