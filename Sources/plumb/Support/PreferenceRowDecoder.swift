import PlumbCheckpoints
import PlumbData
import PlumbModels
import PlumbPreferences
import PlumbRecipes
import PlumbTokenizers

/// Reads rows of one response, or of a chosen and a rejected one, for a preference model.
struct PreferenceRowDecoder {
  let model: JudgingModel

  /// The row as token ids: a group of responses that the model can read.
  func group(_ row: Row) throws -> PreferenceGroup {
    let group = try row.has("responses") ? list(row) : tokens(row)
    let members = model.ensemble.members
    for member in members { try check(group, of: row, fits: member) }
    if group.responses.count == 1, members.count > 1, !model.ensemble.hasScores {
      throw row.fault(
        "several models that give preferences compare two responses",
        expected: "\"chosen\" and \"rejected\"", found: "one response")
    }
    return group
  }

  /// Which member of a mixture judges the people of a row; nil if that is not known.
  func member(of row: Row, _ people: PeopleAssignment) throws -> Int? {
    // Without a prompt of its own, a row's messages before the answer are one.
    let hasPrompt = row.has("prompt") || row.has("messages")
    let prompt: [Message]
    if hasPrompt {
      prompt = try row.prompt()
    } else {
      prompt = row.has("chosen") ? try row.sharedPrompt("chosen") : []
    }
    let name = row.json[people.groupField].flatMap { $0.string ?? $0.integer.map(String.init) }
    // A row that names no source is of its file's, as for all that read pairs.
    let file = row.input.split(separator: "/").last ?? ""
    return people.member(
      source: row.json["source"]?.string ?? String(file.prefix { $0 != "." }),
      annotator: name.flatMap { $0.allSatisfy(\.isWhitespace) ? nil : $0 },
      promptKey: PromptKey.of(prompt))
  }

  /// Refuses a group that a model cannot read.
  private func check(
    _ group: PreferenceGroup, of row: Row, fits member: PreferenceModel
  ) throws {
    let configuration = member.decoder.configuration
    guard case .pair(let pairs) = member else {
      for response in group.responses {
        try row.check(group.prompt + member.readout.prepared(response), fit: configuration)
      }
      return
    }
    if group.responses.count > 2 {
      let longest = group.responses.sorted { $0.count > $1.count }.prefix(2)
      return try row.check(
        group.prompt + longest.joined() + pairs.opening, fit: configuration)
    }
    guard group.responses.count == 2 else {
      throw row.fault(
        "a pair model compares two responses", expected: "\"chosen\" and \"rejected\"",
        found: "one response")
    }
    // Checked as one sequence, because that is how the model reads it.
    try row.check(
      group.prompt + group.responses[0] + pairs.opening + group.responses[1],
      fit: configuration)
  }

  /// A row with any number of responses, whose table is asked for.
  private func list(_ row: Row) throws -> PreferenceGroup {
    let prompt = try row.prompt()
    guard let values = row.json["responses"]?.array, values.count >= 2 else {
      throw row.fault(
        "\"responses\"", expected: "a list of at least two texts",
        found: row.json["responses"]?.serialized())
    }
    let texts = try values.enumerated().map { place, value in
      guard let text = value.string else {
        throw row.fault("\"responses[\(place)]\"", expected: "a text", found: value.serialized())
      }
      return text
    }
    return encode(prompt, texts, try model.texts.encoder(for: row))
  }

  /// The row as token ids, whatever their number.
  func tokens(_ row: Row) throws -> PreferenceGroup {
    let size = model.configuration.vocabularySize
    if model.needsPrompt, row.has("tokens") || row.has("chosen_tokens") {
      throw row.fault(
        "the model weighs its scores by the prompt", expected: "\"prompt\" and responses",
        found: "bare tokens")
    }
    if row.has("tokens") {
      return PreferenceGroup(
        prompt: [], responses: [try row.tokens("tokens", vocabularySize: size)])
    }
    if row.has("chosen_tokens"), row.has("rejected_tokens") {
      return PreferenceGroup(
        prompt: [],
        responses: try ["chosen_tokens", "rejected_tokens"].map {
          try row.tokens($0, vocabularySize: size)
        })
    }
    if row.has("chosen"), row.has("rejected") {
      let encoder = try model.texts.encoder(for: row)
      let hasPrompt = row.has("prompt") || row.has("messages")
      let prompt = hasPrompt ? try row.prompt() : try row.sharedPrompt("chosen")
      return encode(
        prompt, try ["chosen", "rejected"].map { try row.answer($0, to: prompt) }, encoder)
    }
    if row.has("prompt") || row.has("messages"), row.has("response") {
      let encoder = try model.texts.encoder(for: row)
      let prompt = try row.prompt()
      return encode(prompt, [try row.answer("response", to: prompt)], encoder)
    }
    throw row.unknownForm(
      expected:
        "\"prompt\" and \"response\", \"prompt\", \"chosen\" and \"rejected\", \"prompt\" and "
        + "\"responses\", \"tokens\", "
        + "or \"chosen_tokens\" and \"rejected_tokens\"")
  }

  private func encode(
    _ prompt: [Message], _ responses: [String], _ encoder: ConversationEncoder
  ) -> PreferenceGroup {
    PreferenceGroup(
      prompt: encoder.prompt(prompt).map(Int32.init),
      responses: responses.map {
        encoder.scored(prompt: prompt, response: $0).response.map(Int32.init)
      })
  }
}
