export const words = {
  download: "내 대화 내려받기",
  erase: "내 대화 삭제",
  sure: "여기서 나눈 대화와 고객님에 대해 기록된 내용을 모두 영구 삭제할까요?",
  yes: "삭제",
  erased: "대화가 삭제되었습니다.",
  failed: "잘되지 않았습니다. 다시 시도해 주세요.",
  agree: "동의합니다",
  policy: "개인정보 처리방침",
  notice: "작성하기 전에",
};
