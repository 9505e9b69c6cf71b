public import PlumbTensors

/// Adam with decoupled weight decay and clipping by global norm, over one flat parameter block.
///
/// The arithmetic is `torch.optim.AdamW` after `torch.nn.utils.clip_grad_norm_` (Loshchilov and
/// Hutter 2019, arXiv 1711.05101). Decay applies to matrices only, see `ParameterLayout.Entry.decays`.
///
/// ```swift
/// var optimizer = AdamW(.init(weightDecay: 0.1), for: model.parameters)
/// var gradients = GradientBlock(for: model.parameters)
/// gradients.accumulate(objective.loss)
/// let update = optimizer.update(
///   &model.parameters, gradients: gradients, learningRate: Float(schedule.learningRate(at: 0, peak: 1e-3)))
/// ```
public struct AdamW: Sendable {
  /// What stays the same over a run.
  public struct Configuration: Hashable, Codable, Sendable {
    /// Decay of the first moment, in 0..<1.
    public var beta1: Float
    /// Decay of the second moment, in 0..<1.
    public var beta2: Float
    /// What is added to the root of the second moment, after bias correction.
    public var epsilon: Float
    /// The share of a weight that is taken away per step, times the learning rate.
    public var weightDecay: Float
    /// The norm over all gradients above which they are scaled down; infinity means never.
    public var maximumGradientNorm: Double

    /// A configuration with the defaults of PyTorch, and clipping at 1.
    ///
    /// - Parameters:
    ///   - beta1: decay of the first moment, in 0..<1.
    ///   - beta2: decay of the second moment, in 0..<1.
    ///   - epsilon: added to the root of the second moment, greater than 0.
    ///   - weightDecay: decoupled decay per step, times the learning rate, at least 0.
    ///   - maximumGradientNorm: the norm to clip at, greater than 0.
    public init(
      beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0,
      maximumGradientNorm: Double = 1
    ) {
      precondition(
        (0..<1).contains(beta1) && (0..<1).contains(beta2),
        "AdamW: expected beta1 and beta2 in 0..<1, found \(beta1) and \(beta2)")
      precondition(epsilon > 0, "AdamW: expected epsilon > 0, found \(epsilon)")
      precondition(weightDecay >= 0, "AdamW: expected weightDecay >= 0, found \(weightDecay)")
      precondition(
        maximumGradientNorm > 0,
        "AdamW: expected maximumGradientNorm > 0, found \(maximumGradientNorm)")
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.weightDecay = weightDecay
      self.maximumGradientNorm = maximumGradientNorm
    }
  }

  /// What one call of `update` did.
  public struct Update: Hashable, Sendable {
    /// The global norm of the gradients before clipping; not finite where they were not.
    public let gradientNorm: Double
    /// The factor that the gradients were scaled by, 1 where they were not clipped, 0 if skipped.
    public let gradientScale: Float
    /// Whether the update was left out because a gradient was infinite or NaN.
    public let isSkipped: Bool
  }

  /// What stays the same over a run.
  public let configuration: Configuration
  /// How many updates were applied.
  public internal(set) var step = 0
  /// How many updates were left out because a gradient was infinite or NaN.
  public internal(set) var skippedSteps = 0
  /// The running moments of the gradients.
  var moments: AdamWMoments
  let layout: ParameterLayout

  /// An optimizer that has not seen a gradient.
  ///
  /// - Parameters:
  ///   - configuration: what stays the same over the run.
  ///   - parameters: the block to be updated; only its layout is kept.
  public init(_ configuration: Configuration = Configuration(), for parameters: ParameterBlock) {
    self.configuration = configuration
    moments = AdamWMoments(for: parameters)
    layout = parameters.layout
  }

  /// Clips the gradients and applies one step, unless a gradient is infinite or NaN.
  ///
  /// A skipped update leaves parameters and moments as they are and does not count as a step, so that
  /// one bad batch does not ruin a run.
  /// - Parameters:
  ///   - parameters: the block to update, of the layout given at `init`.
  ///   - gradients: of the same layout; the scale of clipping is applied on the fly.
  ///   - learningRate: of this step.
  @discardableResult
  public mutating func update(
    _ parameters: inout ParameterBlock, gradients: GradientBlock, learningRate: Float
  ) -> Update {
    precondition(
      parameters.layout == layout && gradients.layout == layout,
      "AdamW: expected parameters and gradients of the layout given at init, "
        + "\(layout.count) scalars, found \(parameters.layout.count) and \(gradients.layout.count)")
    let norm = gradients.norm
    guard norm.isFinite else {
      skippedSteps += 1
      return Update(gradientNorm: norm, gradientScale: 0, isSkipped: true)
    }
    let scale = clippingScale(norm: norm, maximum: configuration.maximumGradientNorm)
    step += 1
    parameters.adamW(
      gradients, &moments, step: step, learningRate: learningRate, beta1: configuration.beta1,
      beta2: configuration.beta2, epsilon: configuration.epsilon,
      weightDecay: configuration.weightDecay, gradientScale: scale)
    return Update(gradientNorm: norm, gradientScale: scale, isSkipped: false)
  }
}

/// The factor that brings gradients down to a norm, at most 1.
///
/// `min(1, maximum / (norm + 1e−6))`, as `torch.nn.utils.clip_grad_norm_`.
/// - Parameters:
///   - norm: the global norm of the gradients.
///   - maximum: the norm to clip at; infinity means no clipping.
public func clippingScale(norm: Double, maximum: Double) -> Float {
  Float(min(1, maximum / (norm + 1e-6)))
}
