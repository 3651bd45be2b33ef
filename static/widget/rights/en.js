export const words = {
  download: "Download my chat",
  erase: "Delete my chat",
  sure: "Delete everything said here, and what was noted of you, for good?",
  yes: "Delete",
  erased: "Your chat is deleted.",
  failed: "That did not work. Please try again.",
  agree: "I agree",
  policy: "Privacy policy",
  notice: "Before you write",
};
