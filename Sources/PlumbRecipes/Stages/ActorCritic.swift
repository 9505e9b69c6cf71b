import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors

/// A policy and what estimates the value of its states.
///
/// Either a value head on the policy's trunk, in one parameter block with it: a linear function of
/// the hidden state that predicts the next token. Where the policy carries an adapter, the head lies in
/// the adapter's block: the two train together, and the weights stay shared with the reference.
/// Or the same head with a block of its own, whose gradient ends at the hidden state. Or a value model
/// of its own with a linear head, all of whose weights train.
///
/// The head starts at zero: the first advantages are then the rewards themselves.
struct ActorCritic {
  private(set) var decoder: Decoder
  var parameters: ParameterBlock
  /// The value model; nil where a head reads the policy's hidden states.
  var critic: RewardModel?
  /// The value head with a block of its own; nil where it trains together with the trunk.
  private(set) var ownHead: ValueHead?
  /// The policy's adapter as it started, for its settings; nil where all weights train.
  private let adapter: LoRAAdapter?
  /// In `parameters.trainable`, like everything that moves.
  private let head: (weight: ParameterID, bias: ParameterID)?

  /// A policy with a value head that trains together with its trunk.
  init(policy: CausalLM) {
    adapter = policy.adapter
    if let adapter {
      var layout = adapter.parameters.layout
      head = ValueHead.declare(width: policy.configuration.hiddenSize, in: &layout)
      var block = ParameterBlock(layout: layout)
      block.copyShared(from: adapter.parameters)
      decoder = policy.decoder
      parameters = policy.parameters
      parameters.updates?.parameters = block
      return
    }
    var layout = ParameterLayout()
    decoder = Decoder(policy.configuration, declaringIn: &layout)
    head = ValueHead.declare(width: policy.configuration.hiddenSize, in: &layout)
    parameters = ParameterBlock(layout: layout)
    parameters.copyShared(from: policy.parameters)
  }

  /// A policy beside a value head that reads its hidden states and leaves its trunk alone.
  init(policy: CausalLM, ownHead: ValueHead) {
    adapter = policy.adapter
    decoder = policy.decoder
    parameters = policy.parameters
    head = nil
    self.ownHead = ownHead
  }

  /// A policy beside a value model that starts from another model's trunk.
  init(policy: CausalLM, valueModel start: RewardModel) throws {
    adapter = policy.adapter
    decoder = policy.decoder
    parameters = policy.parameters
    head = nil
    var critic = try RewardModel(
      configuration: start.decoder.configuration, trunk: start.parameters, head: .linear,
      endOfText: Int(start.endOfText), seed: 0)
    if let score = critic.parameters.layout.id(named: "score.weight") {
      let count = critic.parameters.layout[score].shape.count
      critic.parameters.assign([Float](repeating: 0, count: count), to: score)
    }
    self.critic = critic
  }

  /// Whether training computes each layer twice in place of keeping it.
  var checkpointsLayers: Bool {
    get { decoder.checkpointsLayers }
    set {
      decoder.checkpointsLayers = newValue
      critic?.checkpointsLayers = newValue
    }
  }

  /// The policy alone, as a view: sampling and log-probabilities read the same weights.
  var policy: CausalLM { CausalLM(decoder: decoder, parameters: parameters) }

  /// The same without gradients, for log-probabilities and values that only are read.
  var frozen: ActorCritic {
    var result = self
    result.parameters = parameters.frozen
    result.critic?.parameters.isFrozen = true
    result.ownHead?.parameters.isFrozen = true
    return result
  }

  /// The policy with a block of its own, without the value head.
  var separatePolicy: CausalLM {
    if var own = adapter {
      own.updates.parameters.copyShared(from: parameters.trainable)
      var result = policy
      result.adapter = own
      return result
    }
    var result = CausalLM(decoder.configuration, seed: 0)
    result.parameters.copyShared(from: parameters)
    return result
  }
}

// MARK: What the two say about a batch

extension ActorCritic {
  /// What the policy says about the response tokens of a batch.
  struct Predictions {
    /// [N, D], of all tokens, after the last norm.
    let hidden: Tensor
    /// [M].
    let logprobs: Tensor
    /// [M], in nats.
    let entropies: [Float]
    /// [M], the same with its graph; nil unless asked for.
    var entropyTensor: Tensor?
  }

  /// Log-probabilities and entropies of the response tokens of a batch.
  ///
  /// - Parameter entropyGradient: whether a loss reads the entropies.
  func predictions(
    _ batch: RolloutBatch, temperature: Float, entropyGradient: Bool = false
  ) -> Predictions {
    let hidden = decoder.hiddenStates(
      tokens: batch.tokens, layout: batch.layout, parameters: parameters)
    let weight = decoder.outputWeight(in: parameters)
    if entropyGradient {
      let (logprobs, entropies) = tokenLogprobsAndEntropies(
        hidden: hidden, weight: weight, rows: batch.rows, targets: batch.targets,
        temperature: temperature)
      return Predictions(
        hidden: hidden, logprobs: logprobs, entropies: entropies.scalars, entropyTensor: entropies)
    }
    let (logprobs, entropies) = tokenLogprobs(
      hidden: hidden, weight: weight, rows: batch.rows, targets: batch.targets,
      temperature: temperature, withEntropy: true)
    return Predictions(hidden: hidden, logprobs: logprobs, entropies: entropies)
  }

  /// Values of the states before the response tokens, [M], by a value model.
  func values(_ critic: RewardModel, _ batch: RolloutBatch) -> Tensor {
    critic.outputs(tokens: batch.tokens, layout: batch.layout, rows: batch.rows)
  }

  /// Values of the states before the response tokens, [M].
  ///
  /// - Parameter hidden: the policy's hidden states of the batch; not read by a value model.
  func values(_ batch: RolloutBatch, hidden: Tensor) -> Tensor {
    if let critic { return values(critic, batch) }
    if let ownHead { return ownHead.values(hidden: hidden.detached, rows: batch.rows) }
    guard let head else { preconditionFailure("ActorCritic: expected a value head, found none") }
    let block = parameters.trainable
    return linear(
      hidden.rows(at: batch.rows), weight: block[head.weight], bias: block[head.bias]
    ).reshaped([batch.rows.count])
  }

  /// Fills behaviour log-probs and values of the buffer's responses, batch by batch as training will
  /// compute them, so that the first ratio is exactly 1.
  ///
  /// - Returns: the mean entropy over the response tokens, in nats.
  func fill(_ buffer: inout RolloutBuffer, batches: [[ResponsePlace]]) -> Double {
    let frozen = frozen
    var entropy = 0.0
    var tokens = 0
    for places in batches {
      let batch = buffer.batch(places)
      let found = frozen.predictions(batch, temperature: buffer.logprobTemperature)
      let values = frozen.values(batch, hidden: found.hidden)
      buffer.set(.behaviourLogprobs, to: found.logprobs.scalars, in: batch)
      buffer.set(.values, to: values.scalars, in: batch)
      entropy += found.entropies.reduce(0.0) { $0 + Double($1) }
      tokens += found.entropies.count
    }
    return entropy / Double(max(1, tokens))
  }
}

// MARK: What moves beside the policy

extension ActorCritic {
  /// The block of a value model or of a head of its own; nil where the head trains with the trunk.
  var valueBlock: ParameterBlock? { critic?.parameters ?? ownHead?.parameters }

  /// Lets `body` change that block in place; nil where there is none.
  mutating func withValueBlock<R>(
    _ body: (inout ParameterBlock) throws -> R
  ) rethrows -> R? {
    // Held once while it is written, or the write would copy it.
    if var critic {
      self.critic = nil
      defer { self.critic = critic }
      return try body(&critic.parameters)
    }
    if var ownHead {
      self.ownHead = nil
      defer { self.ownHead = ownHead }
      return try body(&ownHead.parameters)
    }
    return nil
  }

  /// The head that trains with the trunk as one of its own, to move it alone; nil where there is none.
  var headAlone: ValueHead? {
    guard let head else { return nil }
    var own = ValueHead(width: decoder.configuration.hiddenSize)
    let block = parameters.trainable
    own.assign(weight: block.values(of: head.weight), bias: block.values(of: head.bias))
    return own
  }

  /// Takes over the numbers of a head that moved alone.
  mutating func assignHead(_ other: ValueHead) {
    guard let head else { return }
    parameters.withTrainable {
      $0.assign(other.weights, to: head.weight)
      $0.assign(other.biases, to: head.bias)
    }
  }
}
