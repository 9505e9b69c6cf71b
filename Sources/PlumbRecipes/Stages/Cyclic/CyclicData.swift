import PlumbData
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// One prompt of a suite with an answer for every role.
struct CyclicPrompt {
  let prompt: [Message]
  /// In the order of the roles.
  let responses: [String]
}

/// Generates prompts and answers, deterministic in (seed, suite, part, row).
struct CyclicGenerator {
  let suite: CyclicSuite
  let seed: UInt64

  /// The prompts of a part, all different, with one or more sets of answers.
  ///
  /// Sets beyond the first repeat the prompts with other answers.
  /// - Throws: `ConfigurationProblem` where the part has fewer topics and templates than asked for.
  func prompts(_ part: String, count: Int, sets: Int = 1) throws -> [CyclicPrompt] {
    let words = CyclicWords.part(part)
    let most = words.topics.count * words.prompts.count
    guard count <= most else {
      throw ConfigurationProblem(
        "\(part)_prompts", expected: "an integer from 1 to \(most)", found: "\(count)")
    }
    var order = RandomStream(seed: seed, purpose: "cyclic \(suite.name) \(part)")
    let places = order.permutation(most).prefix(count)
    return (0..<sets).flatMap { set in
      places.enumerated().map { row, place in
        let topic = words.topics[place % words.topics.count]
        let template = words.prompts[place / words.topics.count]
        return CyclicPrompt(
          prompt: [Message(role: "user", content: template.replacing("@", with: topic))],
          responses: suite.judge.cycle.indices.map { role in
            var stream = RandomStream(
              seed: seed, purpose: "cyclic \(suite.name) \(part) \(role)", step: set, row: row)
            return response(role: role, topic: topic, words, &stream)
          })
      }
    }
  }

  /// The criteria that an answer of this role satisfies: its own, perhaps the next one, and at random
  /// those that the judge never looks at.
  private func profile(role: Int, _ stream: inout RandomStream) -> Set<CyclicCriterion> {
    var profile: Set<CyclicCriterion> = [suite.judge.cycle[role]]
    let next = suite.judge.cycle[(role + 1) % suite.judge.cycle.count]
    if stream.uniform() < 0.5 { profile.insert(next) }
    for criterion in CyclicCriterion.allCases where !suite.judge.cycle.contains(criterion) {
      if stream.uniform() < 0.5 { profile.insert(criterion) }
    }
    return profile
  }

  private func response(
    role: Int, topic: String, _ words: CyclicWords, _ stream: inout RandomStream
  ) -> String {
    let profile = profile(role: role, &stream)
    func pick<T>(_ list: [T]) -> T { list[stream.uniform(below: list.count)] }
    let order = stream.permutation(words.statements.count)
    func statement(_ place: Int) -> String {
      words.statements[order[place]].replacing("@", with: topic)
    }
    /// A sentence after an opening: its first letter becomes small.
    func opened(_ opening: String, _ sentence: String) -> String {
      "\(opening) \(sentence.prefix(1).lowercased())\(sentence.dropFirst())"
    }
    // The marks of the criteria go onto any sentence, so that nothing else gives them away.
    var sentences = (0..<(1 + stream.uniform(below: 2))).map(statement)
    if profile.contains(.bold) {
      let place = stream.uniform(below: sentences.count)
      var parts = sentences[place].split(separator: " ").map(String.init)
      let word = 1 + stream.uniform(below: parts.count - 2)
      parts[word] = "**\(parts[word])**"
      sentences[place] = parts.joined(separator: " ")
    }
    if profile.contains(.number) {
      let place = stream.uniform(below: sentences.count)
      let number = "\(pick(words.numbers))"
      if stream.uniform() < 0.5 {
        sentences[place] = opened(
          pick(words.numbered).replacing("#", with: number), sentences[place])
      } else {
        var parts = sentences[place].split(separator: " ").map(String.init)
        parts.insert("(\(number))", at: 1 + stream.uniform(below: parts.count - 1))
        sentences[place] = parts.joined(separator: " ")
      }
    }
    if profile.contains(.polite) {
      let place = stream.uniform(below: sentences.count)
      sentences[place] = opened(pick(words.polite), sentences[place])
    }
    if profile.contains(.question), !profile.contains(.list) {
      sentences[sentences.count - 1] =
        sentences[sentences.count - 1].dropLast() + "\(pick(words.questions))?"
    }
    var text = sentences.joined(separator: " ")
    if profile.contains(.list) {
      let items = stream.permutation(words.items.count).prefix(2 + stream.uniform(below: 2))
      text += "\n" + items.map { "- \(words.items[$0])" }.joined(separator: "\n")
      if profile.contains(.question) {
        text += "\n\(statement(3).dropLast())\(pick(words.questions))?"
      }
    }
    return text
  }

  /// Every pair of answers that the judge decides, by what stands in the texts.
  func pairs(of prompts: [CyclicPrompt], part: String) -> [PreferencePair] {
    prompts.enumerated().flatMap { row, prompt in
      edges(prompt.responses).enumerated().map { number, edge in
        PreferencePair(
          id: "\(suite.name)-\(part)-\(row)-\(number)", source: suite.name, prompt: prompt.prompt,
          chosen: prompt.responses[edge.winner], rejected: prompt.responses[edge.loser])
      }
    }
  }

  /// Indices of winner and loser of every decided pair.
  func edges(_ responses: [String]) -> [(winner: Int, loser: Int)] {
    responses.indices.flatMap { i in
      responses.indices.compactMap { j in
        i != j && suite.judge.prefers(responses[i], to: responses[j]) == true ? (i, j) : nil
      }
    }
  }

  /// Prompts as ids, all answers in one group.
  static func groups(
    _ prompts: [CyclicPrompt], encoder: ConversationEncoder
  ) -> [PreferenceGroup] {
    prompts.map { JudgeGroup(prompt: $0.prompt, responses: $0.responses, encoder: encoder).tokens }
  }
}
