export const words = {
  download: "Baixar minha conversa",
  erase: "Excluir minha conversa",
  sure: "Excluir para sempre tudo o que foi dito aqui e anotado sobre você?",
  yes: "Excluir",
  erased: "Sua conversa foi excluída.",
  failed: "Não deu certo. Tente novamente.",
  agree: "Concordo",
  policy: "Política de privacidade",
  notice: "Antes de escrever",
};
