"""Every error that Slack's reference lists for a method that Limner calls, and what it means."""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class SlackRefusal(Enum):
    """What an error means, and so what to do about it."""

    CLOSED = "this conversation is closed to us, another may be open"
    NO_FILES = "files are not taken here"
    FILE_GONE = "the file was taken away, and must be uploaded again"
    NOT_READY = "the file is not ready yet, or the blocks are wrong"
    REVOKED = "the token is over; a newer one may be there"
    LATER = "it passes"
    ANSWERED = "it took effect already"
    TOO_LATE = "Slack no longer waits for a form"
    FORBIDDEN = "only an admin can allow it"
    OURS = "our own request is wrong"


_CODES: Final[Mapping[SlackRefusal, tuple[str, ...]]] = {
    SlackRefusal.CLOSED: (
        "cannot_dm_bot", "cannot_reply_to_message", "cant_update_message", "channel_not_found", "edit_window_closed",
        "invalid_channel", "invalid_user_combination", "is_archived", "is_inactive", "message_not_found",
        "messages_tab_disabled", "method_not_supported_for_channel_type", "no_permission", "not_in_channel",
        "posting_to_channel_denied", "restricted_action", "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel", "restricted_action_thread_locked",
        "restricted_action_thread_only_channel", "thread_not_found", "user_disabled", "user_not_found",
        "user_not_in_channel", "user_not_visible",
    ),
    SlackRefusal.NO_FILES: (
        "blocked_file_type", "file_share_limit_reached", "file_type_not_allowed", "file_upload_size_restricted",
        "file_uploads_disabled", "file_uploads_except_images_disabled", "max_file_sharing_exceeded", "not_visible",
        "slack_connect_blocked_file_type", "slack_connect_canvas_sharing_blocked",
        "slack_connect_clip_sharing_blocked", "slack_connect_file_link_sharing_blocked",
        "slack_connect_file_upload_sharing_blocked", "slack_connect_lists_sharing_blocked", "storage_limit_reached",
        "unable_to_share_files",
    ),
    SlackRefusal.FILE_GONE: ("file_deleted", "file_is_deleted", "file_not_found", "missing_file_data"),
    SlackRefusal.NOT_READY: ("invalid_blocks",),
    SlackRefusal.REVOKED: (
        "account_inactive", "invalid_auth", "invalid_refresh_token", "not_authed", "team_access_not_granted",
        "token_expired", "token_revoked",
    ),
    SlackRefusal.LATER: (
        "external_channel_migrating", "fatal_error", "file_update_failed", "internal_error", "message_limit_exceeded",
        "org_login_required", "rate_limited", "ratelimited", "request_timeout", "service_unavailable",
        "team_added_to_org", "unknown_error", "update_failed",
    ),
    SlackRefusal.ANSWERED: ("exchanged_trigger_id",),
    SlackRefusal.TOO_LATE: ("expired_trigger_id", "invalid_trigger_id"),
    SlackRefusal.FORBIDDEN: (
        "access_denied", "accesslimited", "canvas_disabled_file_team", "canvas_disabled_user_team",
        "canvas_globally_disabled", "cant_delete_file", "cant_delete_message", "delete_not_allowed",
        "ekm_access_denied", "enterprise_is_restricted", "file_deleting_disabled", "forbidden_team", "missing_scope",
        "not_allowed_token_type", "not_enabled", "permission_denied", "plan_upgrade_required",
        "two_factor_setup_required",
    ),
    SlackRefusal.OURS: (
        "alt_txt_too_large", "as_user_not_supported", "attachment_payload_limit_exceeded", "bad_client_secret",
        "bad_redirect_uri", "block_mismatch", "cannot_install_an_org_installed_app", "cant_broadcast_message",
        "channels_limit_exceeded", "deprecated_endpoint", "draft_already_deleted", "draft_already_sent",
        "draft_has_conflict", "draft_not_found", "duplicate_channel_not_found", "duplicate_external_id",
        "duplicate_message_not_found", "hash_conflict", "insecure_request", "invalid_arg_name", "invalid_arguments",
        "invalid_array_arg", "invalid_attachments", "invalid_blocks_format", "invalid_charset", "invalid_client_id",
        "invalid_code", "invalid_code_verifier", "invalid_form_data", "invalid_grant_type", "invalid_metadata_format",
        "invalid_metadata_schema", "invalid_post_type", "is_bot", "markdown_text_conflict",
        "metadata_must_be_sent_from_app", "metadata_too_large", "method_deprecated", "missing_args",
        "missing_argument", "missing_post_type", "missing_profile_id", "msg_blocks_too_long", "msg_too_long",
        "no_dual_broadcast_content_update", "no_scopes", "no_such_subteam", "no_text", "not_enough_users", "not_found",
        "not_implemented", "oauth_authorization_url_mismatch", "pkce_not_allowed", "preview_feature_not_available",
        "snippet_too_large", "streaming_state_conflict", "team_not_found", "template_not_visible",
        "too_many_attachments", "too_many_contact_cards", "too_many_users", "unknown_method", "unknown_snippet_type",
        "unknown_subtype", "user_email_unverified", "users_list_not_supplied", "view_too_large",
    ),
}  # fmt: skip
"""As docs.slack.dev/reference/methods lists them, and those that every method shares."""

BY_CODE: Final = {code: refusal for refusal, codes in _CODES.items() for code in codes}
