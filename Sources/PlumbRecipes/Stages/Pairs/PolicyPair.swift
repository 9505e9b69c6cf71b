import PlumbData
import PlumbRollouts
import PlumbTensors

/// A preference pair as a policy learns from it.
struct PolicyPair {
  let prompt: [Int32]
  let chosen: [Int32]
  let rejected: [Int32]
  /// The reference's own answer; empty where nothing is anchored.
  var base: [Int32] = []
  /// Under the reference.
  var reference = ReferenceSums()

  /// Its responses, the reference's own answer last where there is one.
  var responses: [[Int32]] { base.isEmpty ? [chosen, rejected] : [chosen, rejected, base] }

  /// Tokens that go through the model where the prompt is computed once.
  var tokenCount: Int { responses.reduce(prompt.count) { $0 + $1.count } }

  /// The pair as the model reads it.
  var group: TokenGroup { TokenGroup(prompt: prompt, responses: responses, example: 0) }
}

extension PolicyPair {
  /// The best and the worst response of a group of a buffer.
  init(_ pair: BestAndWorst, of buffer: RolloutBuffer) {
    prompt = buffer.groups[pair.best.group].promptTokens
    chosen = buffer[pair.best].tokens
    rejected = buffer[pair.worst].tokens
    func sum(_ place: ResponsePlace) -> Float {
      let values = buffer[place].referenceLogprobs
      return values.isEmpty ? .nan : values.reduce(0, +)
    }
    reference.chosen = sum(pair.best)
    reference.rejected = sum(pair.worst)
  }
}

/// What the reference makes of a pair: sums of log-probabilities, NaN until filled.
struct ReferenceSums {
  var chosen = Float.nan
  var rejected = Float.nan
  var base = Float.nan
}

/// Pairs as tensors: one forward pass over some pairs of a batch.
struct PairForward {
  /// [P], sums of token log-probabilities.
  let chosen: Tensor
  /// [P], sums of token log-probabilities.
  let rejected: Tensor
  /// [P], of the reference's own answers; nil where nothing is anchored.
  let base: Tensor?
  /// Log-probabilities of all tokens of the chosen responses, end to end.
  let chosenTokens: Tensor
  /// Tokens that went through the model.
  let tokenCount: Int

  /// - Parameters:
  ///   - pairs: all of them anchored, or none.
  ///   - logprobs: of the targets of a packed batch.
  ///   - sharesPrompts: whether the responses of a pair share one computation of their prompt; the
  ///     numbers are the same up to rounding.
  init(
    _ pairs: [PolicyPair], sharesPrompts: Bool = true, logprobs: (PackedBatch) -> Tensor
  ) {
    let groups =
      sharesPrompts
      ? pairs.map(\.group)
      : pairs.flatMap { pair in
        pair.responses.map { TokenGroup(prompt: pair.prompt, responses: [$0], example: 0) }
      }
    let batch = PackedBatch(groups)
    let tokens = logprobs(batch)
    let sums = tokens.segmentSum(lengths: batch.targetCounts)
    let stride = pairs.first.map { $0.responses.count } ?? 2
    func column(_ place: Int) -> Tensor {
      sums.elements(at: pairs.indices.map { $0 * stride + place })
    }
    chosen = column(0)
    rejected = column(1)
    base = stride > 2 ? column(2) : nil
    var places: [Int] = []
    var start = 0
    for (response, count) in batch.targetCounts.enumerated() {
      if response % stride == 0 { places += start..<start + count }
      start += count
    }
    chosenTokens = tokens.elements(at: places)
    tokenCount = batch.tokens.count
  }
}
