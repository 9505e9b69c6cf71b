/// Makes the pairs of one question after another.
///
/// Votes are looked at first; a text is read and converted only if a pair needs it.
struct ThreadPairing {
  private let options: ForumPairOptions
  private let split: Split
  private let decontamination: Decontamination
  private let markdown = HTMLMarkdown()
  private var line = PairLine()
  /// What was counted.
  var counts = ForumCounts()
  /// Questions and answers that each test set shares.
  var contaminated: [ContaminationCounts]
  /// Sites that were held out and seen.
  var seenSites: Set<String> = []

  init(_ options: ForumPairOptions, _ split: Split, _ decontamination: Decontamination) {
    self.options = options
    self.split = split
    self.decontamination = decontamination
    contaminated = Array(repeating: ContaminationCounts(), count: decontamination.sets.count)
  }

  private struct Candidate {
    var first: Int
    var second: Int
    var isFirst: Bool
    var margin: Int
  }

  /// Writes the pairs of a question; `posts` hold it first, then its answers in their order.
  ///
  /// - Parameters:
  ///   - site: gives the name of the site for questions that do not name it.
  ///   - output: takes a line and the name of its part.
  mutating func write(
    _ question: PostMeta, _ answers: [PostMeta], texts: PostTexts, site: (UInt64) -> String,
    output: (_ line: [UInt8], _ part: String) throws -> Void
  ) throws {
    guard answers.count >= 2 else {
      counts[.unanswered] += 1
      return
    }
    let answers = try limited(answers, texts)
    var candidates = candidates(question, answers)
    guard !candidates.isEmpty else { return }
    let parts = try texts.parts(of: question)
    let named = String(decoding: parts[4], as: UTF8.self)
    let name = named.isEmpty ? site(question.space) : named
    guard let prompt = usablePrompt(question, parts) else {
      counts[.questionDropped] += candidates.count
      return
    }
    let links = ForumLinks(site: name)
    let shared = PairLine.Question(
      site: name, id: parts[0], prompt: prompt,
      license: links.license(parts[2], time: question.time), links: links)
    var sides: [PairLine.Side?] = Array(repeating: nil, count: answers.count)
    var isRead = Array(repeating: false, count: answers.count)
    func side(_ index: Int) throws -> PairLine.Side? {
      if !isRead[index] {
        isRead[index] = true
        sides[index] = try usableAnswer(question, answers[index], texts, links)
      }
      return sides[index]
    }
    let limit = options.maximumPairsPerPost ?? .max
    let isLimited = candidates.count > limit
    if isLimited { candidates = try ranked(candidates, shared, answers, texts) }
    var taken: [Candidate] = []
    for (index, candidate) in candidates.enumerated() {
      guard taken.count < limit else {
        counts[.overLimit] += candidates.count - index
        break
      }
      guard let first = try side(candidate.first), let second = try side(candidate.second) else {
        counts[.unusable] += 1
        continue
      }
      guard first.text != second.text else {
        counts[.identical] += 1
        continue
      }
      taken.append(candidate)
    }
    guard !taken.isEmpty else { return }
    if isLimited { taken.sort { ($0.first, $0.second) < ($1.first, $1.second) } }
    counts[.used] += 1
    counts[.pairs] += taken.count
    let part = part(of: name, prompt)
    for pair in taken {
      guard let first = sides[pair.first], let second = sides[pair.second] else { continue }
      let (chosen, rejected) = pair.isFirst ? (first, second) : (second, first)
      line.build(shared, chosen: chosen, rejected: rejected, margin: pair.margin)
      try output(line.bytes, part)
    }
  }

  /// All pairs of answers that the rule decides.
  private mutating func candidates(_ question: PostMeta, _ answers: [PostMeta]) -> [Candidate] {
    let judged = answers.map { answer in
      VoteRule.Answer(
        score: Int(answer.score), isAccepted: Self.isAccepted(answer, question), time: answer.time)
    }
    var candidates: [Candidate] = []
    for first in judged.indices {
      for second in judged.indices.dropFirst(first + 1) {
        counts[.candidates] += 1
        switch options.rule.verdict(judged[first], judged[second]) {
        case .none(let reason): counts[reason] += 1
        case .better(let isFirst, let margin):
          candidates.append(
            Candidate(first: first, second: second, isFirst: isFirst, margin: margin))
        }
      }
    }
    return candidates
  }

  private static func isAccepted(_ answer: PostMeta, _ question: PostMeta) -> Bool {
    answer.flags & 2 != 0 || question.acceptedKey == answer.key
  }

  /// The answers that are compared: all, or those whose ids hash lowest, in their order.
  private mutating func limited(_ answers: [PostMeta], _ texts: PostTexts) throws -> [PostMeta] {
    guard answers.count > options.maximumAnswersPerPost else { return answers }
    counts[.answersOverLimit] += answers.count - options.maximumAnswersPerPost
    let ranks = answers.enumerated()
      .map { (StableHash.mixed($0.element.key ^ StableHash.mixed(options.seed)), $0.offset) }
    return ranks.sorted { $0 < $1 }.prefix(options.maximumAnswersPerPost).map(\.1).sorted()
      .map { answers[$0] }
  }

  /// The candidates in the order in which they are tried, by the hashes of their names.
  private func ranked(
    _ candidates: [Candidate], _ question: PairLine.Question, _ answers: [PostMeta],
    _ texts: PostTexts
  ) throws -> [Candidate] {
    let ids = try answers.map { String(decoding: try texts.parts(of: $0)[0], as: UTF8.self) }
    let name = question.site + "-" + String(decoding: question.id, as: UTF8.self)
    return candidates.map { pair in
      let (better, worse) = pair.isFirst ? (pair.first, pair.second) : (pair.second, pair.first)
      return (StableHash.of("\(name)-\(ids[better])-\(ids[worse])", seed: options.seed), pair)
    }.sorted { ($0.0, $0.1.first, $0.1.second) < ($1.0, $1.1.first, $1.1.second) }.map(\.1)
  }

  /// The prompt of a question, or nil, counted, if it cannot be used.
  private mutating func usablePrompt(_ question: PostMeta, _ parts: [[UInt8]]) -> [UInt8]? {
    // Inside, texts stay as they are: `ForumThread.prompt` says the same, and so divides the same.
    guard let body = question.markup == .text ? parts[1] : text(parts[1], question) else {
      return nil
    }
    let pieces = [parts[3], body].filter { !ForumText.trimmed($0).isEmpty }
    let prompt = ForumText.trimmed(Array(pieces.joined(separator: [0x0a, 0x0a])))
    guard !prompt.isEmpty else {
      counts[.emptyPrompt] += 1
      return nil
    }
    if let maximum = options.maximumPromptCharacters, ForumText.length(prompt) > maximum {
      counts[.promptTooLong] += 1
      return nil
    }
    if let hit = decontamination.firstHit(prompt) {
      counts[.contaminatedPrompt] += 1
      contaminated[hit].questions += 1
      return nil
    }
    return prompt
  }

  /// An answer, or nil, counted, if it cannot be used.
  private mutating func usableAnswer(
    _ question: PostMeta, _ answer: PostMeta, _ texts: PostTexts, _ links: ForumLinks
  ) throws -> PairLine.Side? {
    let parts = try texts.parts(of: answer)
    guard let text = text(parts[1], answer) else { return nil }
    guard !text.isEmpty else {
      counts[.emptyAnswer] += 1
      return nil
    }
    if options.maximumResponseCharacters != nil || options.minimumResponseCharacters > 1 {
      let length = ForumText.length(text)
      if length > options.maximumResponseCharacters ?? .max {
        counts[.answerTooLong] += 1
        return nil
      }
      if length < options.minimumResponseCharacters {
        counts[.answerTooShort] += 1
        return nil
      }
    }
    if let hit = decontamination.firstHit(text) {
      counts[.contaminatedAnswer] += 1
      contaminated[hit].answers += 1
      return nil
    }
    return PairLine.Side(
      id: parts[0], text: text, votes: Int(answer.score),
      isAccepted: Self.isAccepted(answer, question), time: answer.time,
      license: links.license(parts[2], time: answer.time))
  }

  private mutating func text(_ bytes: [UInt8], _ post: PostMeta) -> [UInt8]? {
    guard post.markup == .html else { return ForumText.trimmed(bytes) }
    guard let text = markdown.convert(bytes) else {
      counts[.tooDeep] += 1
      return nil
    }
    return ForumText.trimmed(text)
  }

  private mutating func part(of site: String, _ prompt: [UInt8]) -> String {
    if options.heldOutSites.contains(site) {
      seenSites.insert(site)
      return ForumPairsJob.heldOut
    }
    return split.part(ofKey: String(decoding: prompt, as: UTF8.self))
  }
}

/// What a test set shared with the dumps.
public struct ContaminationCounts: Codable, Hashable, Sendable {
  /// Questions that were dropped.
  public internal(set) var questions = 0
  /// Answers that were dropped.
  public internal(set) var answers = 0
}

/// Small questions about texts as bytes.
enum ForumText {
  /// `text` without white space, Unicode's too, at both ends.
  static func trimmed(_ text: [UInt8]) -> [UInt8] {
    var start = 0
    var end = text.count
    while start < end, text[start] <= 0x20 { start += 1 }
    while end > start, text[end - 1] <= 0x20 { end -= 1 }
    guard start < end else { return [] }
    if text[start] >= 0x80 || text[end - 1] >= 0x80 {
      return Array(PlumbData.trimmed(String(decoding: text[start..<end], as: UTF8.self)).utf8)
    }
    return start == 0 && end == text.count ? text : Array(text[start..<end])
  }

  /// Unicode scalars.
  static func length(_ text: [UInt8]) -> Int {
    text.withUnsafeBufferPointer { $0.reduce(0) { $0 + ($1 & 0xc0 == 0x80 ? 0 : 1) } }
  }
}
