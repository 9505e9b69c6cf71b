public import PlumbTensors

/// Supervised fine-tuning: the mean negative log-probability of the target tokens.
///
/// The mean is over tokens, not over sequences: a long answer weighs more than a short one.
///
/// Statistics: `nll` (nats per token).
/// - Parameters:
///   - logprobs: [N], log-probabilities of the tokens to learn, of any number of sequences.
///   - batchCount: the tokens of the whole batch, where this call holds a part of it; the shares of
///     all parts add up to the token mean of the whole, whatever the cut.
public func sft(logprobs: Tensor, batchCount: Int? = nil) -> Objective {
  requireColumn("sft", logprobs)
  return Objective(
    loss: (-logprobs).share(of: batchCount), statistics: ["nll": -mean(logprobs.scalars)],
    count: logprobs.count)
}
