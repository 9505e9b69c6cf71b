import PlumbModels
import PlumbRollouts

/// Samples a fixed number of tokens after each prompt of a batch; nothing ends early.
struct GenerateWorkload: Workload {
  private let engine: SamplingEngine
  private let prompts: [[Int32]]
  private let newTokens: Int
  private var round = 0

  init(_ model: CausalLM, _ sizes: Specification.Workload) throws {
    let (batch, length) = (
      try sizes.require(\.batch, "batch"), try sizes.require(\.prompt, "prompt")
    )
    newTokens = try sizes.require(\.newTokens, "new_tokens")
    var tokens = RandomTokens(model, purpose: "generate")
    prompts = (0..<batch).map { _ in tokens.sequence(length) }
    engine = try SamplingEngine(
      model: model, stopTokens: [], options: SamplingOptions(maximumNewTokens: newTokens),
      maximumRows: batch)
  }

  var units: Double { Double(prompts.count * newTokens) }

  mutating func run() throws {
    round += 1
    let responses = try engine.sample(prompts: prompts, step: round)
    let count = responses.joined().reduce(0) { $0 + $1.tokens.count }
    guard count == prompts.count * newTokens else {
      throw BenchError("generate: expected \(prompts.count * newTokens) tokens, found \(count)")
    }
  }
}
