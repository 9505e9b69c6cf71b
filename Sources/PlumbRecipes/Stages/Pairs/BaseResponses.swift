import PlumbData
import PlumbModels
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// The reference's own answers to prompts, which base-anchored optimisation holds on to.
struct BaseResponses {
  private var byPrompt: [[Int32]: [Int32]] = [:]

  /// Prompts that are answered, and kept, together.
  private static let partPrompts = 64

  /// Samples one answer to each prompt, at temperature 1, or reads them from the cache.
  ///
  /// - Parameters:
  ///   - prompts: ids; prompts that are equal get one answer.
  ///   - tokens: the longest answer.
  init(
    to prompts: [[Int32]], tokens: Int, references: ReferenceLogprobs,
    encoder: ConversationEncoder
  ) throws {
    var seen: Set<[Int32]> = []
    let unique = prompts.filter { seen.insert($0).inserted }
    guard let reference = references.models.first else { return }
    let context = references.context
    var engine: SamplingEngine?
    for start in stride(from: 0, to: unique.count, by: Self.partPrompts) {
      let part = Array(unique[start..<min(unique.count, start + Self.partPrompts)])
      let numbers = try references.cache.numbers(
        key(part, start: start, tokens: tokens, references)
      ) {
        if engine != nil { try context.stopIfInterrupted() }
        if engine == nil {
          context.note("answers of '\(reference.name)' to \(unique.count) prompts")
          var model = try reference.load()
          model.parameters.isFrozen = true
          engine = try SamplingEngine(
            model: model, stopTokens: encoder.stopTokens,
            options: SamplingOptions(maximumNewTokens: tokens, seed: context.seed))
        }
        let answers = try engine?.sample(prompts: part, firstRow: start).map { $0[0].tokens } ?? []
        // Lengths, then tokens: ids are far below 2^24, so that a Float holds them exactly.
        return answers.map { Float($0.count) } + answers.flatMap { $0.map { Float($0) } }
      }
      guard numbers.count >= part.count else { continue }
      var next = part.count
      for (prompt, length) in zip(part, numbers) {
        let end = min(numbers.count, next + Int(length))
        byPrompt[prompt] = numbers[next..<end].map { Int32($0) }
        next = end
      }
    }
  }

  private func key(
    _ prompts: [[Int32]], start: Int, tokens: Int, _ references: ReferenceLogprobs
  ) -> ReferenceCache.Key {
    let reference = references.models[0]
    return ReferenceCache.Key(
      content: "answers 1 of \(tokens) tokens from row \(start), seed \(references.context.seed)"
        + (reference.hasAdapter ? ", with an adapter" : ""),
      weights: reference.weights, template: references.template,
      data: ReferenceLogprobs.fingerprint(
        prompts.map { TokenGroup(prompt: $0, responses: [], example: 0) }),
      threads: references.context.threads)
  }

  /// The answer to a prompt that was asked for.
  subscript(prompt: [Int32]) -> [Int32] { byPrompt[prompt] ?? [] }
}
