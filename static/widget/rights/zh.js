export const words = {
  download: "下载我的聊天",
  erase: "删除我的聊天",
  sure: "要永久删除这里的全部对话以及关于您的记录吗？",
  yes: "删除",
  erased: "您的聊天已删除。",
  failed: "没有成功，请再试一次。",
  agree: "我同意",
  policy: "隐私政策",
  notice: "发送消息之前",
};
