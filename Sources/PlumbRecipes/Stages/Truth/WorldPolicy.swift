import Foundation
import PlumbModels
import PlumbRollouts
import PlumbTensors

/// A policy whose probability of every response of an enumerated world can be computed.
protocol WorldPolicy {
  /// The world.
  var world: EnumeratedWorld { get }
  /// What training moves.
  var parameters: ParameterBlock { get set }

  /// Log-probabilities of the response tokens of a batch, [M], with their graph.
  func logprobs(_ batch: RolloutBatch, of buffer: RolloutBuffer) -> Tensor

  /// Values of the states before the response tokens of a batch, [M], with their graph; nil where the
  /// policy has no critic.
  func values(_ batch: RolloutBatch, of buffer: RolloutBuffer) -> Tensor?

  /// Log-probabilities of all responses, [P][N].
  func logprobs() -> [[Double]]

  /// Numbers of `count` responses to every prompt, drawn from the policy, [P][count].
  func sample(count: Int, step: Int, seed: UInt64) throws -> [[Int]]
}

extension WorldPolicy {
  func values(_ batch: RolloutBatch, of buffer: RolloutBuffer) -> Tensor? { nil }

  /// The same policy, whose log-probabilities carry no graph.
  var frozen: Self {
    var result = self
    result.parameters.isFrozen = true
    return result
  }

  /// Log-probabilities of all responses, [P][N].
  func logprobs() -> [[Double]] {
    let buffer = world.everything
    let batch = buffer.batch()
    let sums = sequenceSums(frozen.logprobs(batch, of: buffer).scalars, lengths: batch.lengths)
    return stride(from: 0, to: sums.count, by: world.responses.count).map {
      Array(sums[$0..<$0 + world.responses.count])
    }
  }
}

/// Sums of token values by response, in double precision.
func sequenceSums(_ values: [Float], lengths: [Int]) -> [Double] {
  var next = 0
  return lengths.map { length in
    defer { next += length }
    return values[next..<next + length].reduce(0) { $0 + Double($1) }
  }
}

extension EnumeratedWorld {
  /// The ids of a prompt: its number, in digits of base A, most significant first, behind the end action
  /// where there is one.
  ///
  /// No letter is an end, so that no state is a row of equal tokens. A transformer that knows positions by
  /// their distances alone attends to equal values there, whatever their number: without the end in front
  /// it could not tell the prompt 0 from the prompt 0 with the response 0, and its optimum was not π*.
  func promptTokens(_ prompt: Int) -> [Int32] {
    var digits: [Int32] = []
    var (rest, span) = (prompt, promptCount - 1)
    repeat {
      digits.insert(Int32(rest % actionCount), at: 0)
      rest /= actionCount
      span /= actionCount
    } while span > 0
    return (end.map { [$0] } ?? []) + digits
  }

  /// A buffer with the given responses of every prompt, one group each, scored with their rewards.
  /// - Parameters:
  ///   - numbers: [P][K], numbers of responses.
  ///   - source: pairs are labelled by their order, samples by scores.
  func buffer(
    _ numbers: [[Int]], source: RolloutBuffer.Provenance.Source = .sampled
  ) -> RolloutBuffer {
    RolloutBuffer(
      groups: numbers.enumerated().map { prompt, row in group(prompt: prompt, row) },
      provenance: .init(source: source, origin: "enumerated world"))
  }

  /// A group of one prompt with the given responses and their rewards as scores.
  func group(prompt: Int, _ numbers: [Int], id: String? = nil) -> RolloutGroup {
    RolloutGroup(
      id: id ?? "\(prompt)", prompt: [], promptTokens: promptTokens(prompt),
      responses: numbers.map { number in
        var rollout = Rollout(
          tokens: responses[number].tokens, text: "",
          finishReason: responses[number].stops || end == nil ? .stop : .length)
        rollout.score = Float(rewards[prompt][number])
        return rollout
      })
  }

  /// Every response to every prompt, once.
  var everything: RolloutBuffer {
    buffer((0..<promptCount).map { _ in Array(responses.indices) })
  }
}

/// A softmax over the actions of every state of every prompt, and a value of every state.
struct TabularPolicy: WorldPolicy {
  let world: EnumeratedWorld
  var parameters: ParameterBlock
  let logits: ParameterID
  private let values: ParameterID
  private let prompts: [[Int32]: Int]

  /// Starts at the world's reference, with values of 0.
  init(_ world: EnumeratedWorld) {
    self.world = world
    let states = world.promptCount * world.stateCount
    var layout = ParameterLayout()
    logits = layout.add("logits", [states, world.actionCount], .zeros)
    values = layout.add("values", [states, 1], .zeros)
    parameters = ParameterBlock(layout: layout)
    parameters.assign(world.referenceLogits, to: logits)
    prompts = Dictionary(
      uniqueKeysWithValues: (0..<world.promptCount).map { (world.promptTokens($0), $0) })
  }

  /// Log-probabilities in double precision from the logits themselves, [P][N].
  func logprobs() -> [[Double]] { world.logprobs(ofLogits: parameters.values(of: logits)) }

  func logprobs(_ batch: RolloutBatch, of buffer: RolloutBuffer) -> Tensor {
    let table = logSoftmax(parameters[logits])
    return table.reshaped([table.count]).elements(
      at: places(batch, of: buffer).flatMap { place in
        let response = world.responses[place.number]
        return zip(response.states, response.tokens).map {
          world.cell(prompt: place.prompt, state: $0, token: $1)
        }
      })
  }

  func values(_ batch: RolloutBatch, of buffer: RolloutBuffer) -> Tensor? {
    let table = parameters[values]
    return table.reshaped([table.count]).elements(
      at: places(batch, of: buffer).flatMap { place in
        world.responses[place.number].states.map { place.prompt * world.stateCount + $0 }
      })
  }

  private func places(
    _ batch: RolloutBatch, of buffer: RolloutBuffer
  ) -> [(prompt: Int, number: Int)] {
    batch.places.map { place in
      guard let prompt = prompts[buffer.groups[place.group].promptTokens],
        let number = world.number(of: buffer[place].tokens)
      else { preconditionFailure("TabularPolicy: expected a prompt and a response of its world") }
      return (prompt, number)
    }
  }

  func sample(count: Int, step: Int, seed: UInt64) -> [[Int]] {
    sampled(logprobs(), count: count, purpose: "truth/policy", step: step, seed: seed)
  }
}

/// Numbers drawn from distributions, [P][count]; keyed by (seed, purpose, step, prompt).
func sampled(
  _ logprobs: [[Double]], count: Int, purpose: String, step: Int, seed: UInt64
) -> [[Int]] {
  logprobs.enumerated().map { prompt, row in
    var total = 0.0
    let cumulative = row.map { value in
      total += exp(value)
      return total
    }
    var stream = RandomStream(seed: seed, purpose: purpose, step: step, row: prompt)
    return (0..<count).map { _ in
      let place = Double(stream.uniform()) * total
      // The first entry above the place, by bisection.
      var (low, high) = (0, cumulative.count - 1)
      while low < high {
        let middle = (low + high) / 2
        if cumulative[middle] > place { high = middle } else { low = middle + 1 }
      }
      return low
    }
  }
}

/// A causal language model over the actions of an enumerated world.
///
/// Its vocabulary is the actions; a prompt is its number in digits of that base.
struct LanguagePolicy: WorldPolicy {
  let world: EnumeratedWorld
  var model: CausalLM
  var parameters: ParameterBlock {
    get { model.parameters }
    set { model.parameters = newValue }
  }

  func logprobs(_ batch: RolloutBatch, of buffer: RolloutBuffer) -> Tensor {
    batch.logprobs(model: model, temperature: buffer.logprobTemperature).logprobs
  }

  func sample(count: Int, step: Int, seed: UInt64) throws -> [[Int]] {
    let engine = try SamplingEngine(
      model: model, stopTokens: world.end.map { [Int($0)] } ?? [],
      options: SamplingOptions(maximumNewTokens: world.longest, seed: seed), maximumRows: 512)
    let prompts = (0..<world.promptCount).map { world.promptTokens($0) }
    return try engine.sample(prompts: prompts, count: count, step: step).map { row in
      row.map { response in
        guard let number = world.number(of: response.tokens) else {
          preconditionFailure(
            "LanguagePolicy: sampled \(response.tokens), no response of the world")
        }
        return number
      }
    }
  }

  /// A small model of the world's vocabulary with random weights.
  static func randomModel(_ world: EnumeratedWorld, hiddenSize: Int, layers: Int, seed: UInt64)
    -> CausalLM
  {
    CausalLM(
      DecoderConfiguration(
        family: .qwen2, vocabularySize: world.actionCount, hiddenSize: hiddenSize,
        intermediateSize: 2 * hiddenSize, layerCount: layers, headCount: 2,
        maximumPositions: world.longest + world.promptTokens(0).count + 1,
        tiesEmbeddings: false, eosTokenIDs: world.end.map { [Int($0)] } ?? []),
      seed: seed)
  }
}
