/// One turn of a conversation.
public struct Message: Codable, Hashable, Sendable {
  /// Who speaks: mostly "system", "user" or "assistant".
  public var role: String
  /// What is said.
  public var content: String

  /// Creates a turn.
  public init(role: String, content: String) {
    self.role = role
    self.content = content
  }
}
