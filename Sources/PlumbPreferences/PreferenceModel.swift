public import Foundation
import PlumbCheckpoints
public import PlumbModels
public import PlumbTensors
import PlumbTokenizers

/// A preference model of any kind, as a checkpoint holds it.
public enum PreferenceModel: Sendable {
  /// One reward per response.
  case reward(RewardModel)
  /// A preference embedding per response.
  case generalPreference(GeneralPreferenceModel)
  /// Log-odds of two responses read together.
  case pair(PairPreferenceModel)

  /// The trunk.
  public var decoder: Decoder {
    switch self {
    case .reward(let model): model.decoder
    case .generalPreference(let model): model.decoder
    case .pair(let model): model.decoder
    }
  }

  /// All weights.
  public var parameters: ParameterBlock {
    switch self {
    case .reward(let model): model.parameters
    case .generalPreference(let model): model.parameters
    case .pair(let model): model.parameters
    }
  }

  /// Where the head reads a response.
  public var readout: Readout {
    switch self {
    case .reward(let model): model.readout
    case .generalPreference(let model): model.readout
    case .pair(let model): model.readout
    }
  }

  /// What sequences must keep to.
  public var limits: SequenceLimits { SequenceLimits(decoder.configuration) }

  /// The longest sequence that the model makes of a group, in tokens: what its context must hold.
  ///
  /// Rewards and embeddings read each response after the prompt; a pair model reads both together.
  public func longestSequence(of group: PreferenceGroup) -> Int {
    switch self {
    case .reward, .generalPreference:
      group.prompt.count + (group.responses.map { readout.prepared($0).count }.max() ?? 0)
    case .pair(let model): model.tokenCount(of: group)
    }
  }

  /// Log-odds that the first response of each group is preferred to the second.
  ///
  /// Rewards give `r_1 - r_2`, embeddings `s(1 > 2) / tau`, a pair model its own log-odds.
  /// - Throws: `PreferenceError` naming the row at fault.
  public func logOdds(
    pairs: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [Double] {
    switch self {
    case .reward(let model):
      try model.rawScores(groups: pairs, tokenBudget: tokenBudget).map {
        Double($0[0]) - Double($0[1])
      }
    case .generalPreference(let model):
      try model.logOdds(pairs: pairs, tokenBudget: tokenBudget)
    case .pair(let model):
      try model.logOdds(pairs: pairs, tokenBudget: tokenBudget)
    }
  }
}

extension PreferenceModel {
  /// Log-odds that each response is preferred to each, with which ``logOdds(pairs:tokenBudget:)`` agrees.
  ///
  /// - Returns: [groups][K][K].
  /// - Throws: `PreferenceError` naming the row at fault.
  public func preferenceLogits(
    groups: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws -> [[[Double]]] {
    switch self {
    case .reward(let model):
      return try model.rawScores(groups: groups, tokenBudget: tokenBudget).map { scores in
        scores.map { own in scores.map { Double(own) - Double($0) } }
      }
    case .generalPreference(let model):
      let tau = model.tau
      return try model.embeddings(groups: groups, tokenBudget: tokenBudget).map {
        $0.preferenceLogits(tau: tau)
      }
    case .pair(let model):
      return try model.preferenceLogits(groups: groups, tokenBudget: tokenBudget)
    }
  }
}

/// Loads a reward, general preference or pair model, whichever a folder holds.
/// - Throws: `PreferenceError.unknownArchitecture` for other models, and what loading throws.
public func loadPreferenceModel(directory: URL) throws -> PreferenceModel {
  let folder = try ModelFolder(directory)
  switch PreferenceModelKind(folder) {
  case .reward: return .reward(try RewardModel(folder))
  case .generalPreference: return .generalPreference(try GeneralPreferenceModel(folder))
  case .pair: return .pair(try PairPreferenceModel(folder))
  case nil:
    throw PreferenceError.unknownArchitecture(
      path: folder.json.path, found: folder.architecture)
  }
}

extension SequenceLimits {
  init(_ configuration: DecoderConfiguration) {
    self.init(
      maximumPositions: configuration.maximumPositions,
      vocabularySize: configuration.vocabularySize)
  }
}

/// The id a preference model reads at: the one given, else the configuration's end of sequence.
func endOfTextID(
  _ given: Int?, configuration: DecoderConfiguration
) throws(PreferenceError) -> Int32 {
  guard let id = given ?? configuration.eosTokenIDs.first else {
    throw .invalidConfiguration(
      path: "preference model", key: "eos_token_id", expected: "the id of <|endoftext|>",
      found: "none")
  }
  guard id >= 0, id < configuration.vocabularySize else {
    throw .invalidConfiguration(
      path: "preference model", key: "eos_token_id",
      expected: "an id from 0 to \(configuration.vocabularySize - 1)", found: "\(id)")
  }
  return Int32(id)
}

extension ModelFolder {
  /// Refuses a folder whose architecture does not end so.
  func requireArchitecture(_ suffix: String) throws(PreferenceError) {
    guard architecture == configuration.family.architectureStem + suffix else {
      throw .unknownArchitecture(path: json.path, found: architecture)
    }
  }

  /// Plumb's own keys in `config.json`; empty where there are none.
  func plumbKeys() throws -> JSONObject {
    guard let value = json.value("plumb") else { return JSONObject([:], path: json.path) }
    guard case .object(let fields) = value else {
      throw json.invalid("plumb", expected: "an object", found: value)
    }
    return JSONObject(
      Dictionary(fields.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
      path: "\(json.path) plumb")
  }

  /// Id of `<|endoftext|>`: of the tokenizer beside the weights, else as stored by Plumb, else nil, so that
  /// the configuration's end of sequence is taken.
  func endOfText() throws -> Int? {
    let tokenizer = url.appending(path: "tokenizer.json")
    if FileManager.default.fileExists(atPath: tokenizer.path),
      let id = try Tokenizer(contentsOf: tokenizer).id(of: "<|endoftext|>")
    {
      return id
    }
    return try plumbKeys().tokenID("end_of_text_id")
  }
}

extension JSONObject {
  /// One of a few words; `standard` where the key is absent.
  func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, default standard: Choice
  ) throws(ModelError) -> Choice where Choice.RawValue == String {
    let name = try string(key, default: standard.rawValue)
    guard let choice = Choice(rawValue: name) else {
      throw invalid(
        key, expected: Choice.allCases.map(\.rawValue).joined(separator: " or "),
        found: .string(name))
    }
    return choice
  }

  /// A finite number, or nil where the key is absent.
  func finiteNumber(_ key: String) throws(ModelError) -> Double? {
    guard let value = value(key) else { return nil }
    guard let number = value.number, number.isFinite else {
      throw invalid(key, expected: "a number", found: value)
    }
    return number
  }
}
