import PlumbModels
import PlumbPreferences
import PlumbRecipes
import PlumbTokenizers

/// A reward, general preference or pair model with the tokenizer beside it, or several as one.
struct JudgingModel {
  /// The model; of several the one with the shortest context.
  let model: PreferenceModel
  /// All that judge together; often one.
  let ensemble: PreferenceEnsemble
  /// Which of them judges whose pairs; nil where all judge together.
  let people: PeopleAssignment?
  let texts: TextEncoder

  /// Loads a folder; a language model is refused with the command that fits it.
  private init(path: String) throws {
    let folder = try openModel(path)
    if folder.architecture == folder.configuration.family.causalArchitecture {
      throw CommandFailure(
        "\(path): expected a preference model, found a language model "
          + "(\(folder.architecture)); 'plumb generate' and 'plumb logprobs' read it")
    }
    model = try loadPreferenceModel(directory: folder.url)
    try requireNumbers(model.parameters, path: path)
    ensemble = PreferenceEnsemble([model], rule: .mean)
    people = nil
    texts = try TextEncoder(path: path)
  }

  /// Loads a folder, or a model that a stage lists: `STAGE#NAME`, `STAGE/models.json#NAME`.
  init(reference: String) throws {
    guard let listed = try ListedReference(reference) else {
      self = try JudgingModel(path: reference)
      return
    }
    let members = try listed.folders.map { try JudgingModel(path: $0) }
    let first = members[0]
    for (folder, member) in zip(listed.folders, members) {
      try first.texts.requireSame(as: member.texts)
      let isLowest = members.count > 1 && listed.rule == .minimum
      if isLowest || listed.people != nil, !member.isReward {
        let why = isLowest ? "the lowest score of several counts" : "it is one of a mixture"
        throw CommandFailure(
          "\(folder): expected a reward model, since \(why), found \(member.kind)")
      }
    }
    let shortest = members.min {
      $0.configuration.maximumPositions < $1.configuration.maximumPositions
    }
    model = (shortest ?? first).model
    ensemble = PreferenceEnsemble(members.map(\.model), rule: listed.rule)
    people = listed.people
    texts = first.texts
  }

  var configuration: DecoderConfiguration { model.decoder.configuration }

  /// Where the head reads.
  var readout: Readout { model.readout }

  /// What kind of model it is, in words.
  var kind: String {
    let members = ensemble.members
    if people != nil { return "a mixture of \(members.count) reward models over people" }
    if members.count > 1 {
      let what = ensemble.hasScores ? "reward models" : "preference models"
      return "the \(ensemble.rule == .mean ? "mean" : "lowest") of \(members.count) \(what)"
    }
    return switch model {
    case .reward: "a reward model"
    case .generalPreference: "a general preference model"
    case .pair: "a pair model"
    }
  }

  /// Says on standard error that a mixture knows no member for some people.
  ///
  /// - Parameter what: what was counted, such as `pairs`.
  func warn(ofUnknownPeople count: Int, in what: String) {
    guard people != nil, count > 0 else { return }
    StandardError.write(
      "plumb: \(count) \(what) are of people without a training pair; the mean of the mixture's models "
        + "judges them\n")
  }

  private var isReward: Bool {
    guard case .reward = model else { return false }
    return true
  }

  /// Whether the prompt must be known apart from the response.
  var needsPrompt: Bool {
    ensemble.members.contains {
      guard case .generalPreference(let model) = $0 else { return false }
      return model.options.isGated
    }
  }
}

extension TextEncoder {
  /// Throws unless both folders encode conversations to the same ids, end marks included.
  fileprivate func requireSame(as other: TextEncoder) throws {
    guard let encoder, let theirs = other.encoder else {
      guard encoder == nil, other.encoder == nil else {
        throw CommandFailure(
          "\(path), \(other.path): expected a tokenizer in both folders or in none, found one")
      }
      return
    }
    try encoder.requireSame(as: theirs)
    guard encoder.scoredEnd == theirs.scoredEnd else {
      throw CommandFailure(
        "\(path), \(other.path): expected the same marks behind a response, found "
          + "\(encoder.scoredEnd) and \(theirs.scoredEnd)")
    }
  }
}
