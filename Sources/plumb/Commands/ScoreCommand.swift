import ArgumentParser
import PlumbCheckpoints
import PlumbPreferences

/// Scores responses with a preference model of any kind.
struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Score responses with a reward, general preference or pair model.",
    discussion: """
      A row is one of
        {"prompt": …, "response": …}
        {"prompt": …, "chosen": …, "rejected": …}
        {"prompt": …, "responses": […]}
        {"tokens": […]}
        {"chosen_tokens": […], "rejected_tokens": […]}
      A reward model answers single responses with {"score": …}, and pairs with {"chosen_score": …, \
      "rejected_score": …, "probability": …}: the probability that the chosen one is preferred, \
      sigmoid(chosen_score - rejected_score). A general preference model answers single responses \
      with {"embedding": […]}, and pairs with {"preference_score": …, "probability": …}, where the \
      probability is sigmoid(preference_score / tau). \
      A pair model answers pairs only, with {"preference_score": …, "as_given": …, "swapped": …, \
      "probability": …}: its log-odds, and those read in either order. A list of responses is answered with {"preference_logits": \
      [[…]]}: the log-odds of each over each, which 'plumb data cycles' reads.

      A prompt may be a text (one turn of the user) or a list of messages; "messages" is another \
      name for it. Chosen and rejected may be lists of messages that end with the answer. Scores \
      are read where the model was trained to be read: WorldPM's head at the first <|endoftext|> \
      after the response, which is added where it lacks.

        plumb score --model runs/quickstart/stages/preference-base < pairs.jsonl
        echo '{"prompt": "2 + 2?", "response": "4"}' | plumb score --model DIR
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var input: InputOptions
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    threads.configure()
    let judging = try JudgingModel(path: model.model)
    let decoder = PreferenceRowDecoder(model: judging)
    try RowPipeline(input: input.input, budget: 4096, work: \.group.tokenCount) { row in
      Request(group: try decoder.group(row), isList: row.has("responses"))
    } answer: { requests in
      do {
        return try Self.answers(requests, judging.model)
      } catch PreferenceError.notFinite(_, let what, let value) {
        throw CommandFailure("\(self.model.model): expected a finite \(what), found \(value)")
      }
    }.run()
  }

  /// One or two responses, or a list of them whose table is asked for.
  private struct Request {
    let group: PreferenceGroup
    let isList: Bool
  }

  private static func answers(
    _ requests: [Request], _ model: PreferenceModel
  ) throws -> [JSONValue] {
    let groups = requests.map(\.group)
    switch model {
    case .reward(let model):
      return try zip(requests, model.rawScores(groups: groups)).map { request, scores in
        guard request.isList else { return answer(scores) }
        return table(
          Judgement(scores: scores.map(Double.init), source: "score").preferenceLogits)
      }
    case .generalPreference(let model):
      return try zip(requests, model.embeddings(groups: groups)).map { request, embeddings in
        request.isList
          ? table(embeddings.preferenceLogits(tau: model.tau))
          : answer(embeddings, model.tau)
      }
    case .pair(let model):
      return try requests.map { request in
        if request.isList {
          return table(try model.preferenceLogits(groups: [request.group])[0])
        }
        let found = try model.logOddsInBothOrders(pairs: [request.group])[0]
        return answer(asGiven: found.asGiven, swapped: found.swapped, orders: model.orders)
      }
    }
  }

  private static func table(_ logits: [[Double]]) -> JSONValue {
    .fields([
      "preference_logits": .array(logits.map { .array($0.map { .number($0) }) })
    ])
  }

  private static func answer(_ scores: [Float]) -> JSONValue {
    guard scores.count == 2 else { return .fields(["score": .float(scores[0])]) }
    let judgement = Judgement(scores: scores.map(Double.init), source: "score")
    return .fields([
      "chosen_score": .float(scores[0]), "rejected_score": .float(scores[1]),
      "probability": .number(judgement.probabilities[0][1]),
    ])
  }

  private static func answer(
    asGiven: Double, swapped: Double, orders: PairPreferenceModel.Orders
  ) -> JSONValue {
    let logOdds = orders == .both ? (asGiven + swapped) / 2 : asGiven
    let judgement = Judgement(preferenceLogits: [[0, logOdds], [0, 0]], source: "score")
    return .fields([
      "preference_score": .number(logOdds), "as_given": .number(asGiven),
      "swapped": .number(swapped), "probability": .number(judgement.probabilities[0][1]),
    ])
  }

  private static func answer(_ embeddings: PreferenceEmbeddings, _ tau: Double) -> JSONValue {
    guard embeddings.responses.count == 2 else {
      return .fields(["embedding": .floats(embeddings.responses[0])])
    }
    let judgement = Judgement(
      preferenceLogits: embeddings.preferenceLogits(tau: tau), source: "score")
    return .fields([
      "preference_score": .number(embeddings.score(0, over: 1)),
      "probability": .number(judgement.probabilities[0][1]),
    ])
  }
}
