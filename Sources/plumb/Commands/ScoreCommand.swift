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

      Several models that a stage lists as one (--model STAGE#NAME) answer as a reward model does, \
      with the mean or the lowest of their normalised scores; where one of them gives preferences \
      only, pairs alone, with {"preference_score": …, "probability": …}: the mean of their log-odds. \
      A mixture over people scores a row by the model of its people ("source", and the group that \
      the row names).

      A prompt may be a text (one turn of the user) or a list of messages; "messages" is another \
      name for it. Chosen and rejected may be lists of messages that end with the answer. Scores \
      are read where the model was trained to be read: WorldPM's head at the first <|endoftext|> \
      after the response, which is added where it lacks.

        plumb score --model runs/quickstart/stages/preference-base < pairs.jsonl
        plumb score --model runs/more/stages/more#averaging-seed1 --input pairs.jsonl
        echo '{"prompt": "2 + 2?", "response": "4"}' | plumb score --model DIR
      """)

  @OptionGroup var model: PreferenceModelOptions
  @OptionGroup var input: InputOptions
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    threads.configure()
    let judging = try JudgingModel(reference: model.model)
    let decoder = PreferenceRowDecoder(model: judging)
    var unknownPeople = 0
    try RowPipeline(input: input.input, budget: 4096, work: \.group.tokenCount) { row in
      let group = try decoder.group(row)
      let member = try judging.people.flatMap { try decoder.member(of: row, $0) }
      if judging.people != nil, member == nil { unknownPeople += 1 }
      return Request(group: group, isList: row.has("responses"), member: member)
    } answer: { requests in
      do {
        return try Self.answers(requests, judging)
      } catch PreferenceError.notFinite(_, let what, let value) {
        throw CommandFailure("\(self.model.model): expected a finite \(what), found \(value)")
      }
    }.run()
    judging.warn(ofUnknownPeople: unknownPeople, in: "rows")
  }

  /// One or two responses, or a list of them whose table is asked for.
  private struct Request {
    let group: PreferenceGroup
    let isList: Bool
    /// Which member of a mixture judges the row's people; nil if that is not known.
    let member: Int?
  }

  private static func answers(
    _ requests: [Request], _ judging: JudgingModel
  ) throws -> [JSONValue] {
    let groups = requests.map(\.group)
    if judging.people != nil {
      let scores = try judging.ensemble.scores(groups: groups, by: requests.map(\.member))
      return zip(requests, scores).map { answer($1, isList: $0.isList) }
    }
    if judging.ensemble.members.count > 1 {
      return try answers(requests, of: judging.ensemble)
    }
    switch judging.model {
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

  /// What several models say as one.
  private static func answers(
    _ requests: [Request], of ensemble: PreferenceEnsemble
  ) throws -> [JSONValue] {
    let groups = requests.map(\.group)
    if ensemble.hasScores {
      return zip(requests, try ensemble.scores(groups: groups)).map {
        answer($1, isList: $0.isList)
      }
    }
    return zip(requests, try ensemble.preferenceLogits(groups: groups)).map { request, logits in
      if request.isList { return table(logits) }
      let judgement = Judgement(preferenceLogits: logits, source: "score")
      return .fields([
        "preference_score": .number(logits[0][1]),
        "probability": .number(judgement.probabilities[0][1]),
      ])
    }
  }

  private static func table(_ logits: [[Double]]) -> JSONValue {
    .fields([
      "preference_logits": .array(logits.map { .array($0.map { .number($0) }) })
    ])
  }

  /// Combined scores, which are no longer single precision.
  private static func answer(_ scores: [Double], isList: Bool) -> JSONValue {
    let judgement = Judgement(scores: scores, source: "score")
    if isList { return table(judgement.preferenceLogits) }
    guard scores.count == 2 else { return .fields(["score": .number(scores[0])]) }
    return .fields([
      "chosen_score": .number(scores[0]), "rejected_score": .number(scores[1]),
      "probability": .number(judgement.probabilities[0][1]),
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
